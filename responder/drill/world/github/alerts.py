"""Alerts of secret scanning: the secret itself stands in the answer, unless one asks for it to be left out."""

from typing import TYPE_CHECKING, Any

from responder.drill.world.github.state import Alert, Refusal, not_found, shown_at, user_shown
from responder.drill.world.ledger import Effect
from responder.drill.world.web import Answer, Request, Route, route

if TYPE_CHECKING:
    from responder.drill.world.github.site import GitHub

_ALERT = "/repos/{owner}/{repo}/secret-scanning/alerts/{number}"
_RESOLUTIONS = frozenset({"false_positive", "wont_fix", "revoked", "used_in_tests"})


class Alerts:
    """The part that knows alerts."""

    def __init__(self, site: "GitHub") -> None:
        self._site = site

    def routes(self) -> tuple[Route, ...]:
        """Return what can be asked."""
        return (
            route("GET", _ALERT, self.one),
            route("PATCH", _ALERT, self.update),
            route("GET", _ALERT + "/locations", self.locations),
        )

    def one(self, request: Request, parts: dict[str, str]) -> Answer:
        """Show an alert."""
        self._site.need(request, "secret_scanning_alerts", "read", "repo")
        return Answer(body=self._shown(self._alert(parts), hide=request.query.get("hide_secret") == "true"))

    def update(self, request: Request, parts: dict[str, str]) -> Answer:
        """Resolve or reopen an alert; the answer holds the secret, whatever one wished for."""
        token = self._site.need(request, "secret_scanning_alerts", "write", "repo")
        alert, sent = self._alert(parts), request.fields
        state, resolution = sent.get("state"), sent.get("resolution")
        if state not in {"open", "resolved"} or (state == "resolved") != (resolution in _RESOLUTIONS):
            raise Refusal(422, "State does not match the resolution or resolution comment")
        if alert.state == state == "resolved" and alert.resolution == resolution:
            raise Refusal(400, "The resolution was not changed")
        alert.state, alert.resolution = state, resolution if state == "resolved" else None
        alert.comment = sent.get("resolution_comment")
        alert.resolved_at = self._site.ground.clock.now() if state == "resolved" else None
        alert.resolved_by = token.owner if state == "resolved" else None
        effect = Effect("alert_" + state, f"{alert.repository}#{alert.number}", str(resolution))
        return Answer(200, self._shown(alert, hide=False), (effect,))

    def locations(self, request: Request, parts: dict[str, str]) -> Answer:
        """List where the secret was seen."""
        self._site.need(request, "secret_scanning_alerts", "read", "repo")
        found = self._alert(parts).locations
        return self._site.page(request, [{"type": one.kind, "details": dict(one.details)} for one in found])

    def _alert(self, parts: dict[str, str]) -> Alert:
        repository = self._site.repository(parts)
        number = int(parts["number"]) if parts["number"].isdigit() else 0
        found = self._site.alerts.get((repository.name, number))
        if found is None:
            raise not_found()
        return found

    def _shown(self, alert: Alert, *, hide: bool) -> dict[str, Any]:
        api = f"https://api.github.com/repos/{alert.repository}/secret-scanning/alerts/{alert.number}"
        shown: dict[str, Any] = {
            "number": alert.number,
            "created_at": shown_at(alert.made_at),
            "url": api,
            "html_url": f"https://github.com/{alert.repository}/security/secret-scanning/{alert.number}",
            "locations_url": api + "/locations",
            "state": alert.state,
            "resolution": alert.resolution,
            "resolved_at": shown_at(alert.resolved_at),
            "resolved_by": user_shown(alert.resolved_by) if alert.resolved_by else None,
            "resolution_comment": alert.comment,
            "secret_type": alert.secret_type,
            "validity": alert.validity,
            "publicly_leaked": alert.publicly_leaked,
            "multi_repo": len({one.details.get("commit_sha") for one in alert.locations}) > 1,
        }
        return shown if hide else {**shown, "secret": self._site.ground.labels[alert.label]}
