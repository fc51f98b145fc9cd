"""An engine that is given up leaves no connection open, whoever uses one at that moment; its errors name no values."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from store.db.session import close_engine, make_engine
from store.settings import Settings


def test_a_connection_in_use_is_closed_when_it_is_given_back(settings: Settings) -> None:
    engine = make_engine(settings)
    with engine.connect() as idle:
        at_hand = idle.connection.dbapi_connection
        with engine.connect() as busy:
            in_use = busy.connection.dbapi_connection
            idle.close()
            close_engine(engine)
            assert at_hand is not None
            assert in_use is not None
            assert (at_hand.closed, in_use.closed) == (True, False)
            assert busy.exec_driver_sql("SELECT 1").scalar() == 1
    assert in_use.closed
    # Who comes too late opens one that is closed again after it.
    with engine.connect() as late:
        opened = late.connection.dbapi_connection
        assert opened is not None
    assert opened.closed


def test_an_error_names_no_values_since_one_may_be_a_secret(settings: Settings) -> None:
    engine = make_engine(settings)
    with engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text("SELECT 1 / 0, :secret"), {"secret": "whsec_nobody"})
    engine.dispose()
    assert "whsec_nobody" not in str(caught.value)
