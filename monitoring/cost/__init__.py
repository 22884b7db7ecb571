"""Cost: estimate the monthly cost of an application at AWS and Datadog, item by item, before deployment."""
