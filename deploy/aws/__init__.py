"""Filmroll on AWS, as an app for the CDK; docs/aws.md says how to use it."""
