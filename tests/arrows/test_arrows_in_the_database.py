"""No room's table points into another room's: a key and a snapshot do, because a case must outlive its customer."""

from django.apps import apps


def test_no_foreign_key_leaves_its_room() -> None:
    rooms = [m for m in apps.get_models() if m.__module__.startswith("tipstaff.")]
    assert rooms, "no model was found"
    crossing = {
        (model._meta.label, field.name)
        for model in rooms
        for field in model._meta.get_fields()
        if field.is_relation
        and field.concrete
        and field.related_model is not None
        and field.related_model._meta.app_label != model._meta.app_label  # type: ignore[union-attr]  # a model by now
        and field.related_model._meta.app_label != "auth"  # type: ignore[union-attr]  # staff accounts are Django's own
    }
    assert crossing == set()


def test_only_the_web_room_knows_staff_accounts() -> None:
    linked = {
        model._meta.app_label
        for model in apps.get_models()
        if model.__module__.startswith("tipstaff.")
        for field in model._meta.get_fields()
        if field.is_relation and field.concrete and field.related_model is not None
        and field.related_model._meta.app_label == "auth"  # type: ignore[union-attr]  # a model by now
    }  # fmt: skip
    assert linked <= {"web"}
