"""Which Keras a script was written for."""
import pytest

from symk.compat.detect import version_of


@pytest.mark.parametrize("source", [
    "from keras.layers import Merge", "from keras import initializations",
    "from keras.utils.visualize_util import plot", "Dense(output_dim=3)", "Dense(3, 'uniform')",
    "m.add(Convolution2D(32, 3, 3))", "model.fit(x, y, nb_epoch=3)",
    "Convolution2D(3, nb_row=2, nb_col=2)", "Model(input=a, output=b)",
    "model.fit_generator(g, samples_per_epoch=10)",
    "class A(Layer):\n    def get_output_shape_for(self, s): pass"])
def test_what_exists_only_in_keras_1_says_so(source):
    assert version_of(source) == 1


@pytest.mark.parametrize("source", [
    "from keras.layers import Dense", "Embedding(3, output_dim=2)", "Conv2D(32, (3, 3))",
    "Dense(3, 'relu')", "from keras.layers import Merge, Concatenate",
    "Dense(units=3)\nmodel.fit(x, y, nb_epoch=3)", "m.add(Conv2D(8, 3, padding='same'))",
    "class A(Layer):\n    def compute_output_shape(self, s): pass"])
def test_the_rest_is_for_keras_2(source):
    assert version_of(source) == 2


def test_a_script_must_be_python():
    with pytest.raises(SyntaxError):
        version_of("print 'old'")
