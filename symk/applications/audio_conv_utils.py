"""Music as the model of `music_tagger_crnn` wants it, and its predictions as tags."""
import numpy as np

from .. import backend as K
from ..extras import extra

__all__ = ["preprocess_input", "decode_predictions", "TAGS"]

# The 50 tags of the Million Song Dataset that the weights know, in their order.
TAGS = ("rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s",
        "alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists",
        "classic rock", "soul", "indie rock", "Mellow", "electronica", "80s", "folk", "90s",
        "chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic",
        "experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country",
        "easy listening", "sexy", "catchy", "funk", "electro", "heavy metal", "Progressive rock",
        "60s", "rnb", "indie pop", "sad", "House", "happy")

_RATE = 12000               # samples per second
_SAMPLES = int(29.12 * _RATE)
_FORMATS = {"tf": "channels_last", "th": "channels_first"}


def preprocess_input(audio_path, dim_ordering="default"):
    """The mel spectrogram, in decibels, of 29.12 seconds from the middle of a sound file.

    Args:
        audio_path: a file that librosa reads.
        dim_ordering: "tf" or "th", or K's data format.
    Returns:  a float array (96, 1366, 1), or (1, 96, 1366) with "th".
    """
    librosa = extra("librosa", "preprocess_input")
    data_format = K.normalize_data_format(
        None if dim_ordering == "default" else _FORMATS.get(dim_ordering, dim_ordering))
    sound, _ = librosa.load(audio_path, sr=_RATE)
    missing = _SAMPLES - len(sound)
    if missing > 0:
        sound = np.pad(sound, (0, missing))
    else:
        sound = sound[-missing // 2:][:_SAMPLES]
    mel = librosa.feature.melspectrogram(y=sound, sr=_RATE, hop_length=256, n_fft=512, n_mels=96)
    decibels = librosa.power_to_db(mel ** 2, ref=1.0)
    return decibels[None] if data_format == "channels_first" else decibels[..., None]


def decode_predictions(preds, top_n=5):
    """The most probable tags of predictions (samples, 50): for each a list of (tag, number)."""
    if np.ndim(preds) != 2 or preds.shape[1] != len(TAGS):
        raise ValueError("[decode_predictions] an array (samples, %d) is required; the shape is "
                         "%s." % (len(TAGS), np.shape(preds)))
    return [[(TAGS[number], row[number]) for number in np.argsort(-row, kind="stable")[:top_n]]
            for row in preds]
