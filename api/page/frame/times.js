// Times for people: by the clock and in the zone of the person who looks.

const CLOCK = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const ZONE = new Intl.DateTimeFormat("en", { timeZoneName: "short" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

const zoneAt = (date) => ZONE.formatToParts(date).find(({ type }) => type === "timeZoneName").value;

// 27 Nov 2026, 01:12 GMT+1
export function localTime(text) {
  const date = new Date(text);
  return `${CLOCK.format(date)} ${zoneAt(date)}`;
}

// The time where it is today's, else the day: a list has no room for both.
export function shortTime(text) {
  const date = new Date(text);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? date.toLocaleTimeString(undefined, { timeStyle: "short" }) : DAY.format(date);
}

// 45 s, 3 min 20 s, 2 h 5 min: as the command says it.
export function duration(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
