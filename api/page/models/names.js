// What the aliases do that have a meaning of their own.

const WHAT = {
  production: "answers every photo that is sent without naming a model",
  shadow: "answers production’s photos too, afterwards and seen by nobody, to be compared",
};
const ORDER = Object.keys(WHAT);

export const whatItDoes = (alias) => WHAT[alias] ?? `answers who asks for model ${alias}`;

// Those come first, in this order.
export const placeOfAlias = (alias) => (ORDER.includes(alias) ? ORDER.indexOf(alias) : ORDER.length);
