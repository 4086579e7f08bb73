"""What the pocket model can be asked for: objects, colours, background words, and how prompts are put.

Every object is one code point, which each maker of emoji has drawn in his own way.
"""

from dataclasses import dataclass

import numpy as np

NATIVE_SIZE = 256  # pixels, side of the square the model works on

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (225, 35, 45),
    "orange": (250, 135, 25),
    "yellow": (250, 210, 40),
    "green": (50, 170, 70),
    "blue": (45, 105, 235),
    "purple": (135, 60, 195),
    "pink": (250, 125, 185),
    "white": (240, 240, 242),
    "black": (48, 48, 54),
    "brown": (125, 76, 44),
}

BACKGROUND_WORDS = (
    "background", "nothing", "empty", "remove", "remove it", "remove the object",
    "clean background", "empty background", "no object", "erase",
)  # fmt: skip


@dataclass(frozen=True)
class Word:
    """One object the model knows: its picture's code point and the words people use for it.

    stands: on the ground or a table, so that it can cast a shadow there.
    """

    code_point: str
    plural: str
    synonyms: tuple[str, ...] = ()
    recoloured: bool = False
    stands: bool = True


def _word(code_point: str, plural: str, *synonyms: str, recoloured: bool = False, stands: bool = True) -> Word:
    return Word(code_point, plural, synonyms, recoloured, stands)


OBJECTS: dict[str, Word] = {
    "cat": _word("1f431", "cats", "kitty", "kitten"),
    "dog": _word("1f436", "dogs", "puppy", "doggy"),
    "rabbit": _word("1f430", "rabbits", "bunny", "hare"),
    "fox": _word("1f98a", "foxes"),
    "panda": _word("1f43c", "pandas", "panda bear"),
    "lion": _word("1f981", "lions"),
    "frog": _word("1f438", "frogs", "toad"),
    "penguin": _word("1f427", "penguins"),
    "owl": _word("1f989", "owls"),
    "butterfly": _word("1f98b", "butterflies", recoloured=True, stands=False),
    "ladybug": _word("1f41e", "ladybugs", "ladybird", "beetle", stands=False),
    "fish": _word("1f41f", "fishes", "goldfish", recoloured=True, stands=False),
    "whale": _word("1f433", "whales", stands=False),
    "elephant": _word("1f418", "elephants"),
    "car": _word("1f697", "cars", "automobile", "auto", recoloured=True),
    "bus": _word("1f68c", "buses", "coach"),
    "rocket": _word("1f680", "rockets", "spaceship", stands=False),
    "sailboat": _word("26f5", "sailboats", "boat", "ship", "yacht", stands=False),
    "house": _word("1f3e0", "houses", "home", "cottage"),
    "castle": _word("1f3f0", "castles", "palace"),
    "apple": _word("1f34e", "apples", recoloured=True),
    "banana": _word("1f34c", "bananas"),
    "strawberry": _word("1f353", "strawberries"),
    "grapes": _word("1f347", "bunches of grapes", "grape"),
    "watermelon": _word("1f349", "watermelons", "melon", stands=False),
    "pizza": _word("1f355", "pizzas", "slice of pizza", stands=False),
    "burger": _word("1f354", "burgers", "hamburger", "cheeseburger"),
    "doughnut": _word("1f369", "doughnuts", "donut"),
    "cake": _word("1f382", "cakes", "birthday cake"),
    "sunflower": _word("1f33b", "sunflowers"),
    "tulip": _word("1f337", "tulips", "flower", recoloured=True),
    "tree": _word("1f333", "trees", "oak"),
    "cactus": _word("1f335", "cactuses", "cacti"),
    "mushroom": _word("1f344", "mushrooms", "toadstool"),
    "sun": _word("2600-fe0f", "suns", "sunshine", stands=False),
    "star": _word("2b50", "stars", recoloured=True, stands=False),
    "moon": _word("1f319", "moons", "crescent", "crescent moon", stands=False),
    "cloud": _word("2601-fe0f", "clouds", stands=False),
    "rainbow": _word("1f308", "rainbows", stands=False),
    "snowman": _word("26c4", "snowmen"),
    "balloon": _word("1f388", "balloons", recoloured=True, stands=False),
    "heart": _word("2764-fe0f", "hearts", "love heart", recoloured=True, stands=False),
    "gift": _word("1f381", "gifts", "present", "gift box", recoloured=True),
    "umbrella": _word("2602-fe0f", "umbrellas", "parasol", recoloured=True),
    "hat": _word("1f9e2", "hats", "cap", "baseball cap", recoloured=True),
    "crown": _word("1f451", "crowns"),
    "robot": _word("1f916", "robots", "android"),
    "ghost": _word("1f47b", "ghosts", "spook", stands=False),
    "shirt": _word("1f455", "shirts", "t-shirt", "tshirt", recoloured=True, stands=False),
    "book": _word("1f4d8", "books", "notebook", recoloured=True),
    "cup": _word("2615", "cups", "coffee", "cup of coffee", "mug"),
    "camera": _word("1f4f7", "cameras", "photo camera"),
}

_PLAIN = (
    "{}", "{}", "a {}", "the {}", "a photo of a {}", "a picture of a {}", "one {}", "draw a {}", "add a {}",
    "{} here", "a {} on the ground", "please a {}",
)  # fmt: skip
_ADJECTIVES = ("", "", "", "small ", "big ", "little ", "cute ", "nice ", "beautiful ", "large ", "shiny ")


def object_prompt(word: str, colour: str | None, rng: np.random.Generator) -> str:
    """One of the many ways to ask for the word: "cat", "a cute kitten", "a photo of a red balloon"."""
    entry = OBJECTS[word]
    if rng.random() < 0.12:
        return f"{colour} {entry.plural}" if colour else entry.plural
    use_synonym = entry.synonyms and rng.random() < 0.3
    noun = str(rng.choice(entry.synonyms)) if use_synonym else word
    if colour:
        noun = f"{colour} {noun}"
    adjective = _ADJECTIVES[rng.integers(len(_ADJECTIVES))]
    text = _PLAIN[rng.integers(len(_PLAIN))].format(adjective + noun)
    for vowel in "aeiou":
        text = text.replace(f" a {vowel}", f" an {vowel}")
        if text.startswith(f"a {vowel}"):
            text = "an" + text[1:]
    return text


def background_prompt(rng: np.random.Generator) -> str:
    """An empty prompt half the time: it is also the unconditional branch of guidance, so it must mean background."""
    if rng.random() < 0.5:
        return ""
    return BACKGROUND_WORDS[rng.integers(len(BACKGROUND_WORDS))]


def vocabulary(recommended: dict) -> dict:
    """What the application reads to list the words and to warn when a prompt has none."""
    objects = {
        name: {"synonyms": list(word.synonyms), "plural": word.plural, "colours": word.recoloured}
        for name, word in OBJECTS.items()
    }
    return {
        "objects": objects,
        "colours": list(COLOURS),
        "background_words": list(BACKGROUND_WORDS),
        "recommended": recommended,
    }
