"""Support bundles: what somebody who helps needs to know of an application, in files that a person can read first."""
