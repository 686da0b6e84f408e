"""Check the global names that a pickle refers to against deny and allow lists.

Nothing that a pickle names is ever imported or called, so even a hostile name can do nothing here. A file that asks for
the operating system, for code to be compiled or for a function to be called is still refused by name: it is no
checkpoint, and other programs would obey it.
"""

from __future__ import annotations

from maetheory.core import InputError, printable

_ANY_PART = "builtins ctypes importlib nt os posix pty runpy shutil socket subprocess sys"
_FIRST_PART = """
_ctypes _frozen_importlib _frozen_importlib_external _io _osx_support _pickle _posixsubprocess _socket _thread _winapi
aiohttp antigravity ast asyncio atexit bdb cProfile cffi cgi cloudpickle codeop concurrent dill distutils doctest
ensurepip execnet faulthandler ftplib gc glob http idlelib imp inspect io ipykernel joblib linecache logging marshal
mmap msvcrt multiprocessing netrc nntplib ntpath numexpr operator pdb pexpect pickle pip pkg_resources pkgutil poplib
popen2 posixpath pydoc readline requests resource rlcompleter sched selectors setuptools shelve signal smtplib
socketserver sqlite3 ssl sysconfig tarfile telnetlib tempfile threading timeit traceback tracemalloc turtle types
unittest urllib urllib2 urllib3 venv warnings weakref webbrowser winreg wsgiref xmlrpc zipapp zipfile zipimport
"""
_BUILTIN_CALLABLES = """
builtins.Ellipsis builtins.NotImplemented builtins.bool builtins.bytearray builtins.bytes builtins.complex
builtins.dict builtins.float builtins.frozenset builtins.int builtins.list builtins.object builtins.range builtins.set
builtins.slice builtins.str builtins.tuple builtins.type logging.Logger logging.getLogger types.SimpleNamespace
"""
_LIBRARY_CALLABLES = """
_codecs.encode collections.defaultdict collections.deque copyreg.__newobj__ copyreg.__newobj_ex__
copyreg._reconstructor datetime.date datetime.datetime datetime.time datetime.timedelta datetime.timezone
functools.partial numpy._core.multiarray._reconstruct numpy._core.multiarray.scalar numpy._core.numeric._frombuffer
numpy.core.multiarray._reconstruct numpy.core.multiarray.scalar numpy.core.numeric._frombuffer numpy.dtype
numpy.ndarray numpy.random.__RandomState_ctor numpy.random._pickle.__bit_generator_ctor
numpy.random._pickle.__generator_ctor numpy.random._pickle.__randomstate_ctor torch._tensor._rebuild_from_type_v2
torch._utils._rebuild_device_tensor_from_cpu_tensor torch._utils._rebuild_device_tensor_from_numpy
torch._utils._rebuild_meta_tensor_no_storage torch._utils._rebuild_nested_tensor torch._utils._rebuild_parameter
torch._utils._rebuild_parameter_with_state torch._utils._rebuild_qtensor torch._utils._rebuild_sparse_tensor
torch._utils._rebuild_tensor torch._utils._rebuild_tensor_v2 torch._utils._rebuild_tensor_v3
torch._utils._rebuild_wrapper_subclass torch.device torch.serialization._get_layout
"""
FORBIDDEN_PARTS = frozenset(_ANY_PART.split())
FORBIDDEN_ROOTS = FORBIDDEN_PARTS | frozenset(_FIRST_PART.split())
FORBIDDEN_PREFIXES = (
    "code.Interactive",
    "code.interact",
    "commands.get",
    "numpy.distutils",
    "numpy.f2py",
    "numpy.load",
    "numpy.testing",
    "torch._ops",
    "torch.classes",
    "torch.distributed.elastic",
    "torch.distributed.launch",
    "torch.distributed.run",
    "torch.hub",
    "torch.jit",
    "torch.load",
    "torch.multiprocessing",
    "torch.ops",
    "torch.package",
    "torch.serialization.load",
    "torch.utils.bottleneck",
    "torch.utils.cpp_extension",
    "torch.utils.model_zoo",
)
GETATTR = "builtins.getattr"  # how a pickle writes a static method of a class or a class in a class
ALLOWED_CALLABLES = frozenset(_BUILTIN_CALLABLES.split()) | frozenset(_LIBRARY_CALLABLES.split())
MAX_NAME_LENGTH = 1000
PYTHON2_MODULES = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
}  # protocol 2 still writes the module names of Python 2


def check_global(module: str, name: str) -> str:
    """Return the full name of a global that a pickle refers to.

    Raises
    ------
    InputError
        If it belongs to a module that no checkpoint needs, reaches into the inside of an object, or is longer than
        `MAX_NAME_LENGTH` characters.
    """
    if len(module) + len(name) > MAX_NAME_LENGTH:
        raise InputError(
            f"the pickle asks for a name of {len(module) + len(name)} characters, which no checkpoint needs"
        )
    full = f"{PYTHON2_MODULES.get(module, module)}.{name}"
    parts = full.split(".")
    harmful = parts[0] in FORBIDDEN_ROOTS or FORBIDDEN_PARTS.intersection(parts) or full.startswith(FORBIDDEN_PREFIXES)
    inside = any(part.startswith("__") and part != "__main__" and part != "__mp_main__" for part in parts)
    if (harmful or inside) and full not in ALLOWED_CALLABLES and full != GETATTR:
        raise _refused_global(full)
    return full


def attribute_name(owner: object, attribute: object) -> tuple[str, str]:
    """Return module and name of the attribute of a named class that a pickle asks for.

    Raises
    ------
    InputError
        If the owner is no plain name of a class of a project, or the attribute reaches into the inside of an object.
    """
    if not isinstance(owner, str) or not isinstance(attribute, str) or not attribute.isidentifier():
        raise _refused_global(GETATTR)
    module, _, name = owner.rpartition(".")
    if owner in ALLOWED_CALLABLES or not name[:1].isupper():
        raise _refused_global(GETATTR)
    return module, f"{name}.{attribute}"


def _refused_global(full: str) -> InputError:
    """Return the error for a name that no checkpoint needs."""
    return InputError(f"the pickle asks for {printable(full)}, which no checkpoint needs; do not open it elsewhere")


def check_callable(full: str) -> str:
    """Return a name that a pickle calls, if it is capitalised as classes are, or a known rebuilding function.

    Raises
    ------
    InputError
        If it is any other function.
    """
    last_part = full.rpartition(".")[2].lstrip("_")
    if full not in ALLOWED_CALLABLES and not last_part[:1].isupper():
        raise InputError(f"the pickle calls the function {printable(full)}, and only classes are read, as inert values")
    return full
