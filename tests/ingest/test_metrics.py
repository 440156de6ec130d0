"""What arrives cannot make series without end."""

from ingest.metrics import SCOPES_MAX, Metrics


def test_scopes_share_a_series_when_there_are_too_many():
    metrics = Metrics()
    for letter in range(10 * SCOPES_MAX):
        metrics.untracked("store/" + "x" * letter)
    series = [line for line in metrics.render().decode().splitlines() if line.startswith("cartstream_webhooks_untracked_total{")]
    assert len(series) == SCOPES_MAX + 1
    assert sum(float(line.rpartition(" ")[2]) for line in series) == 10 * SCOPES_MAX


def test_channels_share_a_series():
    metrics = Metrics()
    for channel in range(200):
        metrics.untracked(f"store/channel/{channel}/settings/updated")
    assert 'scope="store/channel/0/settings/updated"} 200.0' in metrics.render().decode()
