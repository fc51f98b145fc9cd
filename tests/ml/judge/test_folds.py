from ml.judge.folds import MOST_OF_FEW, folds_of_few


def test_each_photo_of_a_few_is_left_out_alone_and_each_fold_has_all_breeds() -> None:
    assert folds_of_few([0, 0, 0, 1, 1, 1], range(6)).tolist() == [0, 1, 2, 0, 1, 2]


def test_photos_of_one_shot_stay_together() -> None:
    assert folds_of_few([0, 0, 0, 1, 1], [7, 7, 8, 9, 8]).tolist() == [0, 0, 1, 0, 1]


def test_more_photos_than_folds_share_them_evenly() -> None:
    found = folds_of_few([0] * 25, range(25)).tolist()
    assert sorted(set(found)) == list(range(MOST_OF_FEW))
    assert max(map(found.count, found)) == 3
