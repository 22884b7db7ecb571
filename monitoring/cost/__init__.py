"""Cost: what an application costs a month at AWS and Datadog, item by item, before it is deployed."""
