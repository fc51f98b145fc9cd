// Model.

export const model = {
  title: () => "Model",
  open() {},
};
