"""What follows from an attempt, and when it is tried again."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from standardwebhooks import Webhook

from farm.domain.event import EventType
from farm.errors import Conflict, InvalidRequest
from farm.notify import schedule
from farm.notify.delivery import TRANSITIONS, Attempt, Delivery, State, after, delivery_of, trial_of
from farm.notify.endpoint import MOST_SECRETS, TELLING, Endpoint, new_endpoint
from farm.notify.signature import signed_headers

EVENT = {"specversion": "1.0", "type": "render.job.completed", "subject": "job_1", "data": {"status": "completed"}}


def endpoint(**fields: object) -> Endpoint:
    return replace(new_endpoint(tenant="default", url="https://example.com/hook"), **fields)  # type: ignore[arg-type]


def delivery(**fields: object) -> Delivery:
    made = delivery_of(endpoint(id="hook_1"), job_id="job_1", number=7, event=EVENT, at_s=1000.0)
    return replace(made, **fields)  # type: ignore[arg-type]


def answered(status: int | None, error: str | None = None) -> Attempt:
    return Attempt(at_s=2000.0, took_s=0.1, status=status, error=error)


class TestAfter:
    @pytest.mark.parametrize("status", [200, 201, 204, 299])
    def test_only_a_2xx_is_an_arrival(self, status: int) -> None:
        outcome = after(delivery(), answered(status), rng=Random(0))
        assert (outcome.delivery.state, outcome.wait_s, outcome.disable) == (State.DELIVERED, None, None)

    @pytest.mark.parametrize("status", [100, 301, 302, 304, 400, 401, 404, 429, 500, 503, None])
    def test_everything_else_is_tried_again(self, status: int | None) -> None:
        outcome = after(delivery(), answered(status), rng=Random(0))
        assert outcome.delivery.state is State.PENDING
        assert outcome.delivery.failures == 1
        assert outcome.wait_s is not None
        assert 5.0 <= outcome.wait_s <= 6.0

    def test_410_ends_the_endpoint_at_once(self) -> None:
        outcome = after(delivery(), answered(410), rng=Random(0), delivered_s=1900.0)
        assert outcome.delivery.state is State.FAILED
        assert outcome.wait_s is None
        assert outcome.disable is not None

    def test_it_goes_on_for_more_than_a_day_and_then_fails(self) -> None:
        one, waited_s, tries = delivery(), 0.0, 0
        while one.state is State.PENDING:
            outcome = after(one, answered(500), rng=Random(tries), delivered_s=1500.0)
            one, tries = outcome.delivery, tries + 1
            waited_s += outcome.wait_s or 0.0
        assert tries == len(schedule.WAITS_S) + 1
        assert 24 * 3600 < waited_s < 48 * 3600
        assert one.state is State.FAILED
        assert len(one.attempts) == tries

    @pytest.mark.parametrize(("delivered_s", "disabled"), [(None, True), (900.0, True), (1500.0, False)])
    def test_an_endpoint_where_nothing_arrived_in_all_that_time_is_disabled(
        self, delivered_s: float | None, disabled: bool
    ) -> None:
        last = delivery(failures=len(schedule.WAITS_S))
        outcome = after(last, answered(None, "no answer"), rng=Random(0), delivered_s=delivered_s)
        assert outcome.delivery.state is State.FAILED
        assert (outcome.disable is not None) is disabled

    def test_a_test_is_tried_once_and_disables_nothing(self) -> None:
        outcome = after(trial_of(endpoint(), at_s=1000.0), answered(500), rng=Random(0))
        assert (outcome.delivery.state, outcome.wait_s, outcome.disable) == (State.FAILED, None, None)

    def test_retry_after_makes_it_later_never_sooner_and_not_for_ever(self) -> None:
        waits = [after(delivery(), answered(503), rng=Random(0), asked_s=asked).wait_s for asked in (1.0, 120.0, 1e9)]
        assert waits[0] is not None
        assert waits[0] >= 5.0
        assert waits[1:] == [120.0, schedule.LONGEST_ASKED_S]

    def test_the_table_knows_every_state_and_replay_alone_leads_back(self) -> None:
        assert set(TRANSITIONS) == set(State)
        for state in set(State) - {State.PENDING}:
            assert TRANSITIONS[state] == {State.PENDING}
        with pytest.raises(Conflict):
            delivery(state=State.FAILED).became(State.DELIVERED)


class TestDelivery:
    def test_the_same_event_is_the_same_delivery_and_another_endpoint_another(self) -> None:
        one, two = endpoint(id="hook_1"), endpoint(id="hook_2")
        made = [
            delivery_of(to, job_id="job_1", number=number, event=EVENT, at_s=1.0).id
            for to, number in ((one, 1), (one, 1), (one, 2), (two, 1))
        ]
        assert made[0] == made[1]
        assert len(set(made)) == 3

    def test_its_body_is_the_cloud_event_that_the_stream_tells(self) -> None:
        told = json.loads(delivery().body)
        assert told["id"] == "job_1/7"
        assert told["sequence"] == 7
        assert {name: told[name] for name in EVENT} == EVENT


class TestEndpoint:
    def test_progress_can_never_be_asked_for(self) -> None:
        assert EventType.PROGRESS not in TELLING
        assert not endpoint().wants(EventType.PROGRESS)
        for wanted in ("render.job.progress", "everything"):
            with pytest.raises(InvalidRequest):
                new_endpoint(tenant="default", url="https://example.com", events=[wanted])

    def test_it_is_told_what_it_chose(self) -> None:
        chosen = new_endpoint(tenant="default", url="https://example.com", events=["render.job.failed"])
        assert [kind for kind in EventType if chosen.wants(kind)] == [EventType.FAILED]

    def test_a_replaced_secret_signs_for_a_day_more(self) -> None:
        first = endpoint()
        second = first.rotated(1000.0)
        assert [len(second.signing(at_s)) for at_s in (1000.0, 87_399.0, 87_401.0)] == [2, 2, 1]
        many = second
        for turn in range(6):
            many = many.rotated(1001.0 + turn)
        assert len(many.secrets) == MOST_SECRETS

    @pytest.mark.parametrize("text", ["whsec_", "whsec_!!!", "geheim", "whsec_" + "A" * 20, "whsec_ä"])
    def test_a_weak_secret_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidRequest):
            new_endpoint(tenant="default", url="https://example.com", secret=text)

    def test_its_secrets_are_not_shown(self) -> None:
        shown = json.dumps(endpoint().shown())
        assert "whsec_" not in shown


def test_document_and_page_name_every_type_that_is_told() -> None:
    root = Path(__file__).parents[3]
    page = (root / "serve_app" / "pages" / "site" / "js" / "webhooks.js").read_text("utf-8")
    document = (root / "docs" / "webhooks.md").read_text("utf-8")
    for kind in TELLING:
        name = kind.removeprefix("render.job.")
        assert f'"{name}"' in page
        assert f"`…{name}`" in document or f"`{kind}`" in document


class TestSignature:
    def test_the_reference_library_accepts_it_with_the_old_secret_and_the_new(self) -> None:
        import time

        first = endpoint()
        second = first.rotated(time.time())
        body = delivery().body.encode()
        headers = dict(signed_headers("msg_1", at_s=time.time(), body=body, secrets=second.signing(time.time())))
        for secret in (first.secrets[0].text, second.secrets[0].text):
            assert Webhook(secret).verify(body, headers) == json.loads(body)

    def test_the_reference_library_refuses_whatever_was_altered(self) -> None:
        import time

        from standardwebhooks import WebhookVerificationError

        one = endpoint()
        body = b'{"paid":1}'
        headers = dict(signed_headers("msg_1", at_s=time.time(), body=body, secrets=one.secrets))
        other = "whsec_" + base64.b64encode(b"x" * 32).decode()
        for secret, altered, sent in (
            (one.secrets[0].text, headers, b'{"paid":2}'),
            (one.secrets[0].text, {**headers, "webhook-id": "msg_2"}, body),
            (one.secrets[0].text, {**headers, "webhook-timestamp": str(int(time.time()) - 3600)}, body),
            (other, headers, body),
        ):
            with pytest.raises(WebhookVerificationError):
                Webhook(secret).verify(sent, altered)
