"""The queue in Amazon SQS, or in a server that speaks as it does."""

from filmroll.queues.sqs.definitions import QueueDefinition, create_queues, define_queues
from filmroll.queues.sqs.queue import SqsQueue, open_sqs

__all__ = ["QueueDefinition", "SqsQueue", "create_queues", "define_queues", "open_sqs"]
