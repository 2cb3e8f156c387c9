"""Calls a function as soon as a module has been imported."""

import sys

_waiting = {}


def when_imported(name, function):
    """Calls `function` with the module of that name: now, if it has been imported, else when it is."""
    module = sys.modules.get(name)
    if module is not None and not getattr(module.__spec__, "_initializing", False):
        _call(function, module)
        return
    _waiting.setdefault(name, []).append(function)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def _call(function, module):
    try:
        function(module)
    except Exception:
        pass  # this module's bytes stay unlabelled; the application's import continues


class _Finder:
    def find_spec(self, name, path=None, target=None):
        functions = _waiting.pop(name, None)
        if functions is None:
            return None
        if not _waiting:
            sys.meta_path.remove(self)
        import importlib.util

        spec = importlib.util.find_spec(name)
        if spec is None or not hasattr(spec.loader, "exec_module"):
            _waiting[name] = functions
            return None
        spec.loader = _Loader(spec.loader, functions)
        return spec


_finder = _Finder()


class _Loader:
    """Wraps another loader, and calls a function after it."""

    def __init__(self, loader, functions):
        self._loader = loader
        self._functions = functions

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        for function in self._functions:
            _call(function, module)
