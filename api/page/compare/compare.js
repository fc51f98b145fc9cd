// Compare.

export const compare = {
  title: () => "Compare",
  open() {},
};
