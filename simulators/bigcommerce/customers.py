"""What happens to customers, their addresses and subscribers, and which webhooks it fires (docs/facts/bigcommerce.md 1.7, 2.3, 2.4)."""

from collections.abc import Callable

from simulators.bigcommerce import actions as do
from simulators.bigcommerce.money import iso
from simulators.bigcommerce.shop import Body, Refused, Shop, apply, known

ADDRESS = dict.fromkeys(
    (
        "first_name",
        "last_name",
        "company",
        "address1",
        "address2",
        "city",
        "state_or_province",
        "postal_code",
        "country",
        "country_code",
        "phone",
    ),
    "",
) | {"address_type": "residential"}


@apply.register
def create_customer(action: do.CreateCustomer, shop: Shop) -> Body:
    shop.refuse_known_email("customer", action.email)
    now, customer_id = shop.clock(), shop.next_id("customer")
    addresses = [_address(shop, customer_id, fields) for fields in action.addresses]
    body = {
        "id": customer_id,
        "email": action.email,
        "first_name": action.first_name,
        "last_name": action.last_name,
        "company": action.company,
        "phone": action.phone,
        "registration_ip_address": "",
        "notes": "",
        "tax_exempt_category": "",
        "customer_group_id": action.customer_group_id,
        "date_created": iso(now),
        "date_modified": iso(now),
        "address_count": len(addresses),
        "attribute_count": len(action.attributes),
        "authentication": {"force_password_reset": False},
        "accepts_product_review_abandoned_cart_emails": True,
        "origin_channel_id": action.channel_id,
        "channel_ids": None,
        "addresses": addresses,
        "attributes": _attributes(shop, customer_id, action.attributes, []),
        "form_fields": _form_fields(customer_id, action.form_fields),
        "store_credit_amounts": [{"amount": 0}],
    }
    shop.put("customer", customer_id, body)
    shop.fire("store/customer/created", {"type": "customer", "id": customer_id})
    return {"id": customer_id, "address_ids": [address["id"] for address in addresses]}


@apply.register
def update_customer(action: do.UpdateCustomer, shop: Shop) -> Body:
    body = shop.live("customer", action.id)
    if action.fields:
        if "email" in action.fields:
            shop.refuse_known_email("customer", action.fields["email"], but=action.id)
        body = {**body, **known(body, action.fields), "date_modified": iso(shop.clock())}
    attributes = _attributes(shop, action.id, action.attributes, body["attributes"])
    forms = [item for item in body["form_fields"] if item["name"] not in action.form_fields] + _form_fields(action.id, action.form_fields)
    shop.put("customer", action.id, {**body, "attributes": attributes, "attribute_count": len(attributes), "form_fields": forms})
    if action.fields:
        shop.fire("store/customer/updated", {"type": "customer", "id": action.id})
    return {"id": action.id}


@apply.register
def delete_customer(action: do.DeleteCustomer, shop: Shop) -> Body:
    shop.live("customer", action.id)
    shop.put("customer", action.id, None)
    shop.fire("store/customer/deleted", {"type": "customer", "id": action.id})
    return {"id": action.id}


@apply.register
def create_address(action: do.CreateAddress, shop: Shop) -> Body:
    shop.live("customer", action.customer_id)
    address = _address(shop, action.customer_id, action.fields)
    return _change_address(shop, "created", address["id"], lambda _: address)


@apply.register
def update_address(action: do.UpdateAddress, shop: Shop) -> Body:
    return _change_address(shop, "updated", action.id, lambda old: {**old, **known(old, action.fields)})


@apply.register
def delete_address(action: do.DeleteAddress, shop: Shop) -> Body:
    return _change_address(shop, "deleted", action.id, lambda _: None)


@apply.register
def create_subscriber(action: do.CreateSubscriber, shop: Shop) -> Body:
    shop.refuse_known_email("subscriber", action.email)
    now, subscriber_id = iso(shop.clock()), shop.next_id("subscriber")
    body = {
        "id": subscriber_id,
        "email": action.email,
        "first_name": action.first_name,
        "last_name": action.last_name,
        "source": action.source,
        "order_id": action.order_id,
        "channel_id": action.channel_id,
        "consents": action.consents,
        "date_created": now,
        "date_modified": now,
    }
    shop.put("subscriber", subscriber_id, body)
    shop.fire("store/subscriber/created", {"type": "subscriber", "id": subscriber_id})
    return {"id": subscriber_id}


@apply.register
def update_subscriber(action: do.UpdateSubscriber, shop: Shop) -> Body:
    body = shop.live("subscriber", action.id)
    if "email" in action.fields:
        shop.refuse_known_email("subscriber", action.fields["email"], but=action.id)
    shop.put("subscriber", action.id, {**body, **known(body, action.fields), "date_modified": iso(shop.clock())})
    shop.fire("store/subscriber/updated", {"type": "subscriber", "id": action.id})
    return {"id": action.id}


@apply.register
def delete_subscriber(action: do.DeleteSubscriber, shop: Shop) -> Body:
    shop.live("subscriber", action.id)
    shop.put("subscriber", action.id, None)
    shop.fire("store/subscriber/deleted", {"type": "subscriber", "id": action.id})
    return {"id": action.id}


@apply.register
def delete_all_subscribers(_: do.DeleteAllSubscribers, shop: Shop) -> Body:
    ids = [entity.id for entity in shop.entities["subscriber"].values() if entity.body]
    for subscriber_id in ids:
        shop.put("subscriber", subscriber_id, None)
    return {"ids": ids}


def _change_address(shop: Shop, event: str, address_id: int, change: Callable[[Body], Body | None]) -> Body:
    """The customer's date_modified stays: address changes are no change of the customer to the platform."""
    customer_id = shop.address_owners.get(address_id, 0)
    if not customer_id:
        raise Refused(f"no address {address_id}")
    body = shop.live("customer", customer_id)
    addresses = {address["id"]: address for address in body["addresses"]}
    changed = change(addresses.pop(address_id, {}))
    if changed is None:
        del shop.address_owners[address_id]
    else:
        addresses[address_id] = changed
    kept = [addresses[key] for key in sorted(addresses)]
    shop.put("customer", customer_id, {**body, "addresses": kept, "address_count": len(kept)})
    shop.fire(f"store/customer/address/{event}", {"type": "customer", "id": address_id, "address": {"customer_id": customer_id}})
    return {"id": address_id}


def _address(shop: Shop, customer_id: int, fields: Body) -> Body:
    address = {**ADDRESS, **known(ADDRESS, fields)}
    address_id = shop.next_id("address")
    shop.address_owners[address_id] = customer_id
    return {"id": address_id, "customer_id": customer_id, **address}


def _attributes(shop: Shop, customer_id: int, values: dict[str, str], before: list[Body]) -> list[Body]:
    now, items = iso(shop.clock()), {item["attribute_id"]: item for item in before}
    for name, value in values.items():
        attribute_id = shop.attribute_ids.setdefault(name, len(shop.attribute_ids) + 1)
        new = {"id": customer_id * 100 + attribute_id, "customer_id": customer_id, "attribute_id": attribute_id, "date_created": now}
        items[attribute_id] = {**items.get(attribute_id, new), "attribute_value": value, "date_modified": now}
    return list(items.values())


def _form_fields(customer_id: int, values: Body) -> list[Body]:
    return [{"name": name, "value": value, "customer_id": customer_id} for name, value in values.items()]
