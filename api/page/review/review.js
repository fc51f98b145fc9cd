// Review.

export const review = {
  title: () => "Review",
  open() {},
};
