// Train.

export const train = {
  title: () => "Train",
  open() {},
};
