"""What each role may do, and to what: as much as its use cases need."""

from collections.abc import Iterable, Mapping, Sequence

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from deploy.aws.options import Options
from deploy.aws.roles import DOWNLOAD, UPLOAD, WORKER, Deployed
from deploy.aws.stores import Stores
from filmroll.catalog.dynamodb.schema import definition
from filmroll.model import Lane
from filmroll.ports import CHECKS
from filmroll.queues.sqs.definitions import check_name, dead_name, define_queues, lane_name

ORIGINALS, VARIANTS, PARTS = "o/", "v/", "p/"

_GET = ["s3:GetObject"]
_PUT = ["s3:PutObject", "s3:AbortMultipartUpload"]  # the parts of a large one are put, too
_DELETE = ["s3:DeleteObject"]
_ALL = [*_GET, *_PUT, *_DELETE]

# Whatever the role, /readyz writes, reads and removes below CHECKS. A delete of an image, which the
# Upload API answers for, takes its variants along.
_OBJECTS: Mapping[Deployed, Mapping[str, Sequence[str]]] = {
    UPLOAD: {ORIGINALS: _ALL, PARTS: _ALL, VARIANTS: _DELETE, CHECKS: _ALL},
    DOWNLOAD: {ORIGINALS: _GET, VARIANTS: _GET, CHECKS: _ALL},
    WORKER: {ORIGINALS: _ALL, VARIANTS: _ALL, PARTS: _ALL, CHECKS: _ALL},
}

_LOOK = ["sqs:GetQueueUrl", "sqs:GetQueueAttributes"]  # /metrics tells how long the queues are
_SEND = ["sqs:SendMessage"]
_TAKE = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
_LANES: Mapping[Deployed, Sequence[str]] = {UPLOAD: _SEND, DOWNLOAD: [], WORKER: _SEND + _TAKE}

_READ = ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"]
_WRITE_ONE = ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
# What the Download API writes: the probe of /readyz, and the first key for signed URLs.
_DOWNLOAD_WRITES = ["request#check/*", "signing-keys"]


def role_of(stack: Stack, role: Deployed, group: str, stores: Stores, options: Options) -> iam.Role:
    """Make what the machines of a group act as."""
    policies = {
        "blobs": _document(_blobs(role, f"arn:{stack.partition}:s3:::{stores.bucket}")),
        "queue": _document(_queue(stack, role, options.name)),
        "catalog": _document(_catalog(stack, role, options.name)),
        "machine": _document(
            [
                _allow(["secretsmanager:GetSecretValue"], [stores.secret]),
                _allow(["autoscaling:CompleteLifecycleAction"], [group_arn(stack, group)]),
            ]
        ),
    }
    made = iam.Role(
        stack,
        f"{role.id}Role",
        assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
        description=f"Filmroll {role.role}",
        inline_policies=policies,
    )
    if options.session_manager:
        name = "AmazonSSMManagedInstanceCore"
        made.add_managed_policy(iam.ManagedPolicy.from_aws_managed_policy_name(name))
    return made


def group_arn(stack: Stack, group: str) -> str:
    """Return the ARN of an auto-scaling group; its middle is an id that nobody knows before."""
    middle = "autoScalingGroup:*:autoScalingGroupName"
    return f"arn:{stack.partition}:autoscaling:{stack.region}:{stack.account}:{middle}/{group}"


def _blobs(role: Deployed, bucket: str) -> Iterable[iam.PolicyStatement]:
    # Without it S3 says 403 of an object that is not there, not 404.
    yield _allow(["s3:ListBucket"], [bucket])
    for prefix, actions in _OBJECTS[role].items():
        yield _allow(actions, [f"{bucket}/{prefix}*"])


def _queue(stack: Stack, role: Deployed, prefix: str) -> Iterable[iam.PolicyStatement]:
    def arns(names: Iterable[str]) -> list[str]:
        return [stack.format_arn(service="sqs", resource=name) for name in names]

    yield _allow(_LOOK, arns(queue.name for queue in define_queues(prefix, 1)))
    yield _allow(_SEND + _TAKE, arns([check_name(prefix)]))
    if actions := _LANES[role]:
        yield _allow(actions, arns(lane_name(prefix, lane) for lane in Lane))
    if role is WORKER:  # it forgets dead letters that are old
        yield _allow(_TAKE, arns(dead_name(prefix, lane) for lane in Lane))


def _catalog(stack: Stack, role: Deployed, name: str) -> Iterable[iam.PolicyStatement]:
    table = stack.format_arn(service="dynamodb", resource="table", resource_name=name)
    indexes = [index["IndexName"] for index in definition(name)["GlobalSecondaryIndexes"]]
    yield _allow(_READ, [table])
    yield _allow(["dynamodb:Query"], [f"{table}/index/{index}" for index in indexes])
    if role is DOWNLOAD:
        writes = _allow(_WRITE_ONE, [table])
        writes.add_condition("ForAllValues:StringLike", {"dynamodb:LeadingKeys": _DOWNLOAD_WRITES})
        yield writes
    else:
        yield _allow([*_WRITE_ONE, "dynamodb:BatchWriteItem"], [table])


def _document(statements: Iterable[iam.PolicyStatement]) -> iam.PolicyDocument:
    return iam.PolicyDocument(statements=list(statements))


def _allow(actions: Sequence[str], resources: Sequence[str]) -> iam.PolicyStatement:
    return iam.PolicyStatement(actions=list(actions), resources=list(resources))
