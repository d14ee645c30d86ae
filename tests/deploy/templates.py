"""Templates as the app makes them, and questions to ask of them."""

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from aws_cdk import App

from deploy.aws.app import build

REGION, ACCOUNT = "us-east-1", "000000000000"
SECURE = {
    "certificate": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/12345678-1234-1234-1234-12345678",
    "public_url": "https://images.example.com",
    "alarm_email": "alarms@example.com",
}
# What MiniStack's CloudFormation can make: it knows no NAT gateway.
SMALL = {"nat_gateways": 0}

Resource = Mapping[str, Any]


class Templates(NamedTuple):
    """What the app made of one context, as JSON in files."""

    stores: Path
    service: Path

    def resources(self, type_: str) -> dict[str, Resource]:
        """Return the properties of all resources of a type, by their logical ids."""
        every = {**_resources(self.stores), **_resources(self.service)}
        return {id_: it.get("Properties", {}) for id_, it in every.items() if it["Type"] == type_}


def synthesize(folder: Path, context: Mapping[str, Any]) -> Templates:
    app = App(outdir=str(folder), context=dict(context), analytics_reporting=False)
    stores, service = build(app)
    app.synth()
    return Templates(folder / stores.template_file, folder / service.template_file)


def plain(value: Any) -> Any:
    """Return a value with its references spelled out, such as ``<Bucket.Arn>``."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    if "Ref" in value:
        pseudo = {"AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::Partition": "aws"}
        return pseudo.get(value["Ref"], f"<{value['Ref']}>")
    if "Fn::GetAtt" in value:
        return "<{}.{}>".format(*value["Fn::GetAtt"])
    if "Fn::ImportValue" in value:
        return f"<{plain(value['Fn::ImportValue'])}>"
    if "Fn::Join" in value:
        glue, parts = value["Fn::Join"]
        return glue.join(plain(parts))
    if "Fn::Base64" in value:
        return plain(value["Fn::Base64"])
    return {key: plain(each) for key, each in value.items()}


class Rights:
    """What a role may do, of all that its template says."""

    def __init__(self, templates: Templates, role: str) -> None:
        inline = templates.resources("AWS::IAM::Role")[role]["Policies"]
        documents = [policy["PolicyDocument"] for policy in inline]
        documents += [
            policy["PolicyDocument"]
            for policy in templates.resources("AWS::IAM::Policy").values()
            if {"Ref": role} in policy["Roles"]
        ]
        self.statements = [it for document in documents for it in plain(document["Statement"])]

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield each action with each thing that it is allowed on."""
        for statement in self.statements:
            for action in _listed(statement["Action"]):
                for resource in _listed(statement["Resource"]):
                    yield action, resource

    def allow(self, action: str, resource: str, keys: set[str] = frozenset()) -> bool:
        """Whether an action is allowed; ``keys`` are the ``pk`` of the items that it touches."""
        return any(
            action in _listed(statement["Action"])
            and any(fnmatchcase(resource, each) for each in _listed(statement["Resource"]))
            and _keys_fit(statement.get("Condition"), keys)
            for statement in self.statements
        )


def _keys_fit(condition: Resource | None, keys: set[str]) -> bool:
    if condition is None:
        return True
    allowed = _listed(condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"])
    return all(any(fnmatchcase(key, each) for each in allowed) for key in keys)


def _resources(path: Path) -> dict[str, Resource]:
    return json.loads(path.read_text())["Resources"]


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
