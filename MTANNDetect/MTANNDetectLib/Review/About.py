"""What a result remembers of the run that made it."""

import json
from dataclasses import asdict, dataclass

from .Places import Body


@dataclass(frozen=True)
class About:
    """What a result's table tells of the run.

    Attributes:
        model: Name and version of the model.
        className: What it was taught to find.
        threshold: The threshold of the run; the reader may have moved it since.
        thresholdOrigin: Where that threshold comes from.
        outlineFraction: Share of its peak at which a candidate's outline lies.
        lowestScore: The score down to which candidates were kept.
        warnings: What the reader must know before trusting the result.
        body: The outline that places are told from; None where sides mean nothing.
    """

    model: str
    className: str
    threshold: float
    thresholdOrigin: str
    outlineFraction: float
    lowestScore: float
    warnings: tuple[str, ...] = ()
    body: Body | None = None

    def toJson(self) -> str:
        """As the text of a node attribute."""
        return json.dumps(asdict(self))

    @classmethod
    def fromJson(cls, text: str) -> "About":
        """From the text of a node attribute."""
        fields = json.loads(text)
        body = fields.pop("body")
        return cls(
            **{**fields, "warnings": tuple(fields["warnings"])},
            body=body and Body(tuple(body["centreRas"]), tuple(body["halfRas"]), body["sure"]),
        )
