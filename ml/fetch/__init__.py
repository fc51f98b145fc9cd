"""Files that others publish: pretrained weights and the Oxford-IIIT Pet photos."""
