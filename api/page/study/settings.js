// Settings in words: what a trial tried, and what a search may try.

export const shownSetting = (value) => {
  if (typeof value !== "number") return typeof value === "string" ? value : JSON.stringify(value);
  const isSmall = value !== 0 && Math.abs(value) < 1e-2;
  return isSmall ? value.toExponential().replace("e-", "e−") : String(value);
};

export function shownDomain(domain) {
  if (Array.isArray(domain)) return domain.map(shownSetting).join(", ");
  const { low, high, log, step } = domain;
  const how = log ? ", by powers of ten" : "";
  return `${shownSetting(low)} to ${shownSetting(high)}${how}${step ? `, in steps of ${shownSetting(step)}` : ""}`;
}
