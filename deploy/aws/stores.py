"""The stack of what must outlive the machines: bucket, table, queues, and the roles' secret.

The adapters' own definitions are what CloudFormation is told: nothing is written down twice.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from aws_cdk import CfnOutput, CfnResource, RemovalPolicy, Stack
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from deploy.aws.options import Options
from filmroll.blobs.s3_bucket import lifecycle_rules
from filmroll.catalog.dynamodb.schema import EXPIRY, definition
from filmroll.queues.sqs.definitions import QueueDefinition, define_queues
from filmroll.wiring.remote import MAX_ATTEMPTS

METRICS = "all"  # the id of the bucket's request metrics

Properties = Mapping[str, Any]


class Stores(Stack):
    """A bucket, a table, the queues and a secret; what holds data stays when the stack goes."""

    def __init__(self, scope: Construct, id_: str, options: Options, **settings: Any) -> None:
        super().__init__(scope, id_, **settings)
        bucket = CfnResource(self, "Bucket", type="AWS::S3::Bucket", properties=_bucket(options))
        self.bucket: str = _kept(bucket).ref
        _add_bucket_policy(self, bucket)
        table = _table(options.name)
        _kept(CfnResource(self, "Table", type="AWS::DynamoDB::Table", properties=table))
        _add_queues(self, define_queues(options.name, MAX_ATTEMPTS))
        secret = secretsmanager.Secret(
            self,
            "InternalToken",
            description="FILMROLL_INTERNAL_TOKEN: what the roles know each other by",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=48, exclude_punctuation=True
            ),
        )
        self.secret: str = secret.secret_arn
        CfnOutput(self, "Blobs", value=f"s3://{self.bucket}", description="FILMROLL_BLOBS")
        CfnOutput(
            self, "Catalog", value=f"dynamodb://{options.name}", description="FILMROLL_CATALOG"
        )
        CfnOutput(self, "Queue", value=f"sqs://{options.name}", description="FILMROLL_QUEUE")


def _kept(resource: CfnResource) -> CfnResource:
    resource.apply_removal_policy(RemovalPolicy.RETAIN, apply_to_update_replace_policy=True)
    return resource


def _table(name: str) -> Properties:
    return definition(name) | {
        "TimeToLiveSpecification": EXPIRY,
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        "SSESpecification": {"SSEEnabled": True},
        "DeletionProtectionEnabled": True,
    }


def _bucket(options: Options) -> Properties:
    encryption = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    blocks = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    return {
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [encryption]},
        "PublicAccessBlockConfiguration": dict.fromkeys(blocks, True),
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        "MetricsConfigurations": [{"Id": METRICS}],
        "LifecycleConfiguration": {"Rules": [*_own_rules(), *_aging_rules(options)]},
    }


def _own_rules() -> Iterable[Properties]:
    """Spell the adapter's rules as CloudFormation does."""
    for rule in lifecycle_rules():
        known = {"ID", "Status", "Filter", "AbortIncompleteMultipartUpload", "Expiration"}
        if rule.keys() - known or rule["Filter"].keys() != {"Prefix"}:
            raise ValueError(f"no spelling is known for {rule}")
        spelled = {"Id": rule["ID"], "Status": rule["Status"]}
        if prefix := rule["Filter"]["Prefix"]:
            spelled["Prefix"] = prefix
        if "AbortIncompleteMultipartUpload" in rule:
            spelled["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
        if "Expiration" in rule:
            spelled["ExpirationInDays"] = rule["Expiration"]["Days"]
        yield spelled


def _aging_rules(options: Options) -> Iterable[Properties]:
    """Return the rules that save money. S3 moves no object of under 128 KB to a colder class."""
    yield {
        "Id": "filmroll-variants",
        "Status": "Enabled",
        "Prefix": "v/",
        "ExpirationInDays": options.variant_days,
    }
    yield {
        "Id": "filmroll-originals",
        "Status": "Enabled",
        "Prefix": "o/",
        "Transitions": [{"StorageClass": "GLACIER_IR", "TransitionInDays": options.archive_days}],
    }


def _add_bucket_policy(stack: Stack, bucket: CfnResource) -> None:
    arn = bucket.get_att("Arn").to_string()
    old = {"NumericLessThan": {"s3:TlsVersion": "1.2"}}
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    statements = [
        {
            "Sid": sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
            "Condition": condition,
        }
        for sid, condition in {"TlsOnly": plain, "Tls12AtLeast": old}.items()
    ]
    document = {"Version": "2012-10-17", "Statement": statements}
    properties = {"Bucket": bucket.ref, "PolicyDocument": document}
    type_ = "AWS::S3::BucketPolicy"
    _kept(CfnResource(stack, "BucketPolicy", type=type_, properties=properties))


def _add_queues(stack: Stack, definitions: Iterable[QueueDefinition]) -> None:
    made: dict[str, CfnResource] = {}
    for queue in definitions:
        properties = {"QueueName": queue.name} | {
            name: _typed(value) for name, value in queue.attributes.items()
        }
        if queue.dead_letters is not None:
            properties["RedrivePolicy"] = {
                "deadLetterTargetArn": made[queue.dead_letters].get_att("Arn"),
                "maxReceiveCount": queue.max_attempts,
            }
        id_ = "".join(word.capitalize() for word in queue.name.split("-")[1:])
        made[queue.name] = CfnResource(
            stack, f"{id_}Queue", type="AWS::SQS::Queue", properties=properties
        )


def _typed(value: str) -> bool | int:
    """Return an attribute as CloudFormation takes it; SQS takes all as text."""
    return value == "true" if value in {"true", "false"} else int(value)
