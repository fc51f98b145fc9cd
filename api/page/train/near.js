// The usual network where its weights are in reach, else one whose weights are: a training that can start at once.

const soonest = (one, other) => Number(other.measured !== null) - Number(one.measured !== null) || one.relative_cost - other.relative_cost;

// Those whose weights are in reach, the soonest first.
export const archsInReach = (archs) => archs.filter(({ weights }) => weights.in_reach).sort(soonest).map(({ name }) => name);

// The name to begin with; the usual one where no weights are in reach at all.
export function nearName(usual, archs) {
  const near = archsInReach(archs);
  return near.includes(usual) ? usual : near[0] ?? usual;
}

export function nearArch(planned, archs) {
  const { usual, values, chosen, sent, goesOn } = planned;
  // A recipe or a run that names its network means it.
  if (goesOn || sent.some(([name]) => name === "arch") || !values.pretrained) return planned;
  const near = nearName(usual.arch, archs);
  if (near === usual.arch) return planned;
  const own = chosen.set.has("arch") ? {} : { arch: near };
  return { ...planned, usual: { ...usual, arch: near }, values: { ...values, ...own }, sent: [...sent, ["arch", near]] };
}
