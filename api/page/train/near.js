// The usual network where its weights are in reach, else one whose weights are: a training that can start at once.

const soonest = (one, other) => Number(other.measured !== null) - Number(one.measured !== null) || one.relative_cost - other.relative_cost;

export function nearArch(planned, archs) {
  const { usual, values, chosen, sent, goesOn } = planned;
  // A recipe or a run that names its network means it.
  if (goesOn || sent.some(([name]) => name === "arch") || !values.pretrained || archs.find(({ name }) => name === usual.arch)?.weights.in_reach) return planned;
  const [near] = archs.filter(({ weights }) => weights.in_reach).sort(soonest);
  if (!near) return planned;
  const own = chosen.set.has("arch") ? {} : { arch: near.name };
  return { ...planned, usual: { ...usual, arch: near.name }, values: { ...values, ...own }, sent: [...sent, ["arch", near.name]] };
}
