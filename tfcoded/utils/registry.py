"""What there is of one sort of thing, by name: the one list that lookups, messages and help texts are made of."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from tfcoded.utils.errors import UserError
from tfcoded.utils.suggestions import nearest

Item = TypeVar("Item")


class Registry(Mapping[str, Item]):
    """Things of one sort by name, in the order in which they were registered; others may register their own.

    ```python
    METRICS = Registry("metric")
    METRICS.register("psnr", psnr)
    METRICS["psnr"], METRICS.find("pnsr")  # UserError: unknown metric 'pnsr'; did you mean 'psnr'?
    ```

    Args:
      noun: `str`, what the things are, for messages.
    """

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self._items: dict[str, Item] = {}

    def register(self, name: str, item: Item) -> Item:
        """Adds a thing and returns it.

        Raises:
          ValueError: if the name is another's. A module that is imported again may register its things again.
        """
        known = self._items.get(name)
        if known is not None and known is not item and _origin(known) != _origin(item):
            raise ValueError(f"there is another {self.noun} {name!r}, {_origin(known)}; give yours a name of its own")
        self._items[name] = item
        return item

    def find(self, name: str) -> Item:
        """The thing of this name.

        Raises:
          UserError: if there is none, with the nearest name.
        """
        if name in self._items:
            return self._items[name]
        near = nearest(str(name), self._items)
        hint = f"did you mean {near!r}?" if near else f"expected one of {', '.join(map(repr, self._items))}"
        raise UserError(f"unknown {self.noun} {name!r}; {hint}")

    def __getitem__(self, name: str) -> Item:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)


def _origin(item):
    """Where a thing is defined, `str`; of one that has an attribute `origin`, where that is."""
    item = getattr(item, "origin", item)
    named = item if hasattr(item, "__qualname__") else type(item)
    return f"{named.__module__}.{named.__qualname__}"
