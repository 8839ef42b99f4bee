"""OpenTelemetry for the whole app: providers for those who have none, and a disk buffer for all spans and logs.

The SDK is imported by what needs it, when it is used: nothing here costs an app that does not call it.
"""
