"""AWS as far as a leaked access key concerns it: IAM, STS, Secrets Manager, Parameter Store and CloudTrail.

One address answers for all services, as the signed scope of each request says which is meant. Signatures are checked
in full, except for the time in them: a drill's clock runs faster than the one that signs.
"""

from responder.drill.world.aws.system import Aws

__all__ = ["Aws"]
