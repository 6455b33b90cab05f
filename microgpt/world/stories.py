"""Stories: a plot, a cast, and one sentence for each step.

Agreement comes from the cast: every slot of a plot is drawn when it is first told and remembered
from then on, so names, pronouns, things and places stay the same to the end.
"""

from microgpt.world import lexicon, plots
from microgpt.world.document import plain

HUMAN_TRAITS = ("kind", "little", "brave", "clever", "shy", "funny", "quiet", "proud", "poor")
ANIMAL_TRAITS = ("curious", "lazy", "little", "old", "brave", "hungry", "clever", "proud", "shy",
                 "big", "kind", "angry", "friendly", "tired")
HUMAN_HOMES = ("in a small house", "in a little village", "near the forest", "on a farm",
               "in a big city", "by the sea", "in an old castle")
ANIMAL_HOMES = ("in the forest", "on a farm", "by the river", "under an old tree",
                "in a dark cave", "near the lake")
PRONOUNS = {"she": ("she", "her", "her"), "he": ("he", "him", "his"), "it": ("it", "it", "its")}
DRAWN = {  # slot -> what it may be
    "day": ("one day", "one day,", "one day", "one sunny day,", "one morning", "one morning,",
            "one evening,", "one cold day,", "last week", "one summer day,"),
    "color": lexicon.COLORS,
    "thing": lexicon.THINGS,
    "food": lexicon.FOODS,
    "skill": ("swim", "sing", "dance", "paint", "read", "cook", "climb", "write", "ride a bike",
              "fly a kite", "play the drum"),
    "dish": ("a cake", "a pie", "some bread", "a sweet cake"),
    "jumped": ("jumped", "jumped", "hopped", "climbed", "ran"),
    "parent": ("mother", "father", "sister", "brother", "aunt", "uncle"),
    "elder": ("man", "woman"),
}


def article(noun):  # "old owl" -> "an old owl"
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


class Cast(dict):
    """The slots of one story: each is drawn at its first use and kept.

    `hero` may be "girl", "boy" or an animal; by default the plot decides.
    """

    def __init__(self, dice, plot, hero=None):
        self.dice, self.plot = dice, plot
        self.hero = hero or self.draw_role(plot.hero, ("girl", "boy"))
        self.friend = self.draw_role(plot.friend, ("boy",) if self.hero == "girl" else ("girl",))
        while self.friend == self.hero:
            self.friend = dice.pick(lexicon.ANIMALS)
        kind = {"girl": "she", "boy": "he"}.get(self.hero, "it")
        self["he"], self["him"], self["his"] = PRONOUNS[kind]

    def draw_role(self, players, people):
        if players == "person" or (players == "any" and self.dice.chance(0.6)):
            return self.dice.pick(people)
        return self.dice.pick(lexicon.ANIMALS)

    def __missing__(self, slot):
        """Draw a slot. `hero` and `friend` are told once as new and stored as known."""
        if slot[0].isupper():
            text = self[slot.lower()]
            if slot in ("Hero", "Friend"):  # told as new just now: the next time as known
                self[slot] = _capital(self[slot.lower()])
                return _capital(text)
            return self.setdefault(slot, _capital(text))
        if slot in DRAWN:
            return self.setdefault(slot, self.dice.pick(DRAWN[slot]))
        return getattr(self, "tell_" + slot)()

    def known(self, role, player):
        """Store how somebody is called from the second mention on."""
        if player in ("girl", "boy"):
            self[role] = self.dice.pick(lexicon.GIRLS if player == "girl" else lexicon.BOYS)
            self[role + "_trait"] = self.dice.pick(HUMAN_TRAITS)
        else:
            self[role] = f"the {player}"
            self[role + "_trait"] = self.dice.pick(ANIMAL_TRAITS)
        return self[role], self[role + "_trait"]

    def tell_intro(self):
        name, trait = self.known("hero", self.hero)
        person = self.hero in ("girl", "boy")
        return article(f"{trait} {self.hero}") + (f" named {name}" if person else "")

    def tell_described(self):
        name, trait = self.known("hero", self.hero)
        if self.hero in ("girl", "boy"):
            return f"{name} was {article(f'{trait} {self.hero}')}"
        return f"{name} was very {trait}"

    def tell_hero(self):
        name, trait = self.known("hero", self.hero)
        return name if self.hero in ("girl", "boy") else f"the {trait} {self.hero}"

    def tell_friend(self):
        name, trait = self.known("friend", self.friend)
        if self.friend in ("girl", "boy"):
            return f"a {self.friend} named {name}"
        return article(f"{trait} {self.friend}")

    def tell_the_friend(self):
        _, trait = self.known("friend", self.friend)
        return f"the {trait} {self.friend}"

    def tell_f_him(self):
        return {"girl": "her", "boy": "him"}.get(self.friend, f"the {self.friend}")

    def tell_lived(self):
        homes = HUMAN_HOMES if self.hero in ("girl", "boy") else ANIMAL_HOMES
        return self.setdefault("lived", self.dice.pick(homes))

    def tell_place(self):
        place = self.dice.pick(_PLACES)
        self["there"] = f"{lexicon.PLACES[place]} the {place}"
        return self.setdefault("place", f"the {place}")

    def tell_there(self):
        self.tell_place()
        return self["there"]

    def tell_food2(self):
        food = self["food"]
        while food == self["food"]:
            food = self.dice.pick(lexicon.FOODS)
        return self.setdefault("food2", food)

    def tell_a_beast(self):
        beast = self.hero
        while beast in (self.hero, self.friend):
            beast = self.dice.pick(lexicon.ANIMALS)
        return self.setdefault("a_beast", article(beast))


_PLACES = tuple(lexicon.PLACES)


def _capital(text):
    return text[0].upper() + text[1:]


def story(dice, hero=None):  # Dice, animal or None -> text of 4 to 10 sentences
    """One story. With `hero` ("cat"), a story about that animal."""
    plot = dice.pick(plots.PLOTS if hero is None else plots.ANIMAL_PLOTS)
    sentences = [dice.pick(step) for step in plot.steps]
    if dice.chance(0.5):
        sentences.insert(0, dice.pick(plots.OPENINGS))
    sentences.append(dice.pick(plots.ENDINGS[plot.mood]))
    return " ".join(filter(None, sentences)).format_map(Cast(dice, plot, hero))


def story_document(dice):
    return plain(story(dice))
