"""What a data set is: items, labels and their split, its files by position, and the presized cache of them."""
