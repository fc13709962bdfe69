"""What pyproject.toml cannot say: with the library inside the package (wheel.sh puts it there) the
wheel is of this platform, for any Python 3; without it, of any platform."""
import pathlib

from setuptools import Distribution, setup

try:
    from setuptools.command.bdist_wheel import bdist_wheel  # setuptools 70.1 and later
except ImportError:
    from wheel.bdist_wheel import bdist_wheel

bundled = (pathlib.Path(__file__).resolve().parent / 'rescomp/libresnetcompress.so.0').exists()


class Package(Distribution):
    def has_ext_modules(self):
        return bundled


class Wheel(bdist_wheel):
    def get_tag(self):
        return ('py3', 'none', super().get_tag()[2])


setup(distclass=Package, cmdclass={'bdist_wheel': Wheel})
