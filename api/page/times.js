// Times for people: by the clock and the zone of whoever looks.

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

export function duration(seconds) {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
