import pytest
from service_records import Records


@pytest.fixture
def records(tmp_path):
    made = Records(tmp_path)
    yield made
    made.close()
