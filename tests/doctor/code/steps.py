"""Functions in every state that the doctor tells apart."""

from monitoring import count, monitored


@monitored
def decorated(event, context):
    count("shop.orders")
    return event


def plain(event, context):
    print("an ordinary line")
