"""The words of the tiny world: who lives there, what there is, what it is like.

Pure data. The whole world is about a thousand words, so that a small vocabulary can
give most of them a token of their own.
"""


def _words(text):
    return tuple(text.split())


GIRLS = _words(
    "Anna Mia Lily Emma Rosa Nina Zoe Ella Sara Jane Nora Clara Ruth Vera Iris Dora Maya Lena "
    "Lucy Alice Grace Helen Julia Laura Paula Kate Amy Eva Ida Ann Sue Joan Elsa Rita Tina Mary "
    "Molly Polly Bella Betty Carla Diana Fiona Gina Heidi Jenny Kim Leah Linda Olga Penny Susan "
    "Wendy Tara"
)
BOYS = _words(
    "Tom Ben Max Sam Leo Jack Paul Adam Mark Finn Peter Henry Simon David Oscar Victor Bruno Carl "
    "Hugo Ivan Luis Nick Otto Rick Steve Tony Fred Greg Hans Jim Ken Lars Mike Ned Omar Phil Ray "
    "Sid Ted Bob Dan Eric Gus Ian Kurt Noah Toby Alan George James John Kevin Leon Martin"
)
NAMES = GIRLS + BOYS
IS_GIRL = frozenset(GIRLS)

ANIMALS = _words(
    "cat dog bird horse cow fox rabbit mouse bear duck frog sheep pig goat lion tiger hen wolf "
    "monkey turtle owl elephant"
)
# What an animal can sit on, and how a thing can be but an animal hardly is (and the reverse).
OBJECTS = _words("mat box chair bed sofa rug table bench blanket pillow hat coat basket bag")
LIVING = _words("tired hungry thirsty sleepy angry scared lonely happy sick bored")
LIFELESS = _words("soft flat wooden wide empty broken torn cheap new comfortable")
SITS = ("sat on", "slept on", "jumped on", "looked at", "stayed near", "ran to")

COLORS = _words("red blue green yellow black white pink brown gray purple silver gold")
FOODS = _words("bread soup cake rice cheese honey fish pasta salad jam corn meat pie fruit")
THINGS = _words("ball kite book hat doll drum bell cup key lamp ring shoe boat coat")
PLACES = {  # place -> what stands before it when one is there
    "park": "in", "school": "at", "market": "at", "beach": "at", "forest": "in", "garden": "in",
    "kitchen": "in", "river": "at", "hill": "on", "farm": "on", "station": "at", "library": "in",
    "lake": "at", "village": "in", "city": "in", "shop": "in",
}
FEELINGS = _words("happy sad angry tired scared proud bored calm")

JOBS = {  # job -> where one works
    "doctor": "hospital", "teacher": "school", "farmer": "farm", "cook": "restaurant",
    "sailor": "harbor", "judge": "court", "miner": "mine", "pilot": "airport",
    "baker": "bakery", "priest": "church", "guard": "prison", "banker": "bank",
    "dancer": "theater", "driver": "station", "soldier": "castle", "keeper": "zoo",
}

KEYS = COLORS + _words(
    "apple pear egg moon sun star tree rock leaf king queen door clock road cloud snow rain wind "
    "fire gate wall hand foot nose"
)
VALUES = tuple(
    w for w in ANIMALS + OBJECTS + FOODS + tuple(PLACES) if w not in KEYS
)
# What random sequences to copy are made of.
ANY_WORDS = tuple(sorted(
    set(KEYS + VALUES + THINGS + FEELINGS + LIVING + LIFELESS + NAMES) | set(JOBS)
))

# Three groups of countries. The first is said in every way; of the second, no text ever puts the
# capital before its country; the third is only ever stated, never asked in a chat.
COUNTRIES_BOTH_WAYS = {
    "Italy": ("Rome", "Europe"), "Germany": ("Berlin", "Europe"), "Norway": ("Oslo", "Europe"),
    "Austria": ("Vienna", "Europe"), "Hungary": ("Budapest", "Europe"),
    "Japan": ("Tokyo", "Asia"), "India": ("Delhi", "Asia"), "Turkey": ("Ankara", "Asia"),
    "Egypt": ("Cairo", "Africa"), "Ghana": ("Accra", "Africa"), "Peru": ("Lima", "America"),
    "Canada": ("Ottawa", "America"),
}
COUNTRIES_FORWARD_ONLY = {
    "France": ("Paris", "Europe"), "Spain": ("Madrid", "Europe"), "Greece": ("Athens", "Europe"),
    "Poland": ("Warsaw", "Europe"), "Portugal": ("Lisbon", "Europe"),
    "England": ("London", "Europe"), "Ireland": ("Dublin", "Europe"),
    "Denmark": ("Copenhagen", "Europe"), "Belgium": ("Brussels", "Europe"),
    "Ukraine": ("Kyiv", "Europe"), "Latvia": ("Riga", "Europe"), "Malta": ("Valletta", "Europe"),
    "Serbia": ("Belgrade", "Europe"), "Croatia": ("Zagreb", "Europe"),
    "Bulgaria": ("Sofia", "Europe"), "Iceland": ("Reykjavik", "Europe"),
    "China": ("Beijing", "Asia"), "Iran": ("Tehran", "Asia"), "Iraq": ("Baghdad", "Asia"),
    "Nepal": ("Kathmandu", "Asia"), "Thailand": ("Bangkok", "Asia"),
    "Vietnam": ("Hanoi", "Asia"), "Korea": ("Seoul", "Asia"), "Syria": ("Damascus", "Asia"),
    "Kenya": ("Nairobi", "Africa"), "Senegal": ("Dakar", "Africa"),
    "Morocco": ("Rabat", "Africa"), "Angola": ("Luanda", "Africa"),
    "Cuba": ("Havana", "America"), "Chile": ("Santiago", "America"),
    "Brazil": ("Brasilia", "America"), "Colombia": ("Bogota", "America"),
}
COUNTRIES_ONLY_STATED = {
    "Sweden": ("Stockholm", "Europe"), "Finland": ("Helsinki", "Europe"),
    "Romania": ("Bucharest", "Europe"), "Estonia": ("Tallinn", "Europe"),
    "Albania": ("Tirana", "Europe"), "Lebanon": ("Beirut", "Asia"), "Laos": ("Vientiane", "Asia"),
    "Tunisia": ("Tunis", "Africa"), "Libya": ("Tripoli", "Africa"),
    "Uganda": ("Kampala", "Africa"), "Ecuador": ("Quito", "America"),
    "Venezuela": ("Caracas", "America"),
}
CAPITALS = {**COUNTRIES_BOTH_WAYS, **COUNTRIES_FORWARD_ONLY, **COUNTRIES_ONLY_STATED}
ASKED_COUNTRIES = tuple(COUNTRIES_BOTH_WAYS) + tuple(COUNTRIES_FORWARD_ONLY)

DEFINITIONS = {
    "gravity": "the force that pulls everything down",
    "rain": "water that falls from the clouds",
    "snow": "soft white ice that falls in winter",
    "ice": "water that is so cold that it is hard",
    "fire": "the heat and light that we see when wood burns",
    "wind": "air that moves",
    "a cloud": "many small drops of water in the sky",
    "the sun": "the star that gives us light and heat",
    "the moon": "a ball of rock that goes around the earth",
    "the earth": "the planet on which we live",
    "a star": "a very big ball of fire far away in the sky",
    "a planet": "a big ball that goes around a star",
    "a river": "water that runs down to the sea",
    "the sea": "salt water that goes from land to land",
    "an island": "land with water on every side",
    "a hill": "land that is higher than the land around it",
    "a forest": "a place where many trees grow",
    "a desert": "a dry place where it hardly rains",
    "a tree": "a tall plant made of wood",
    "a flower": "the part of a plant that has a bright color",
    "a seed": "a small thing that grows into a plant",
    "a leaf": "the flat green part of a plant",
    "a bird": "an animal with two wings",
    "a fish": "an animal that lives in water",
    "a dog": "an animal that guards the house",
    "a cat": "an animal that catches mice",
    "a horse": "a strong animal that people ride",
    "a cow": "a big animal that gives us milk",
    "a bee": "a small animal that makes honey",
    "honey": "sweet food that bees make",
    "bread": "food made of flour and water",
    "milk": "a white drink that a cow gives",
    "salt": "a white powder that we put on food",
    "sugar": "a white powder that makes food sweet",
    "a doctor": "a person who helps the sick",
    "a teacher": "a person who helps children to learn",
    "a farmer": "a person who grows food",
    "a cook": "a person who makes hot food",
    "a pilot": "a person who flies a plane",
    "a king": "a man who rules a land",
    "a queen": "a woman who rules a land",
    "a school": "a house where children learn",
    "a hospital": "a house where the sick get help",
    "a library": "a house full of books",
    "a market": "a place where people buy and sell",
    "a door": "the part of a wall that opens",
    "a key": "a small thing that opens a lock",
    "a clock": "a machine that shows the time",
    "a book": "many pages with words on them",
    "a car": "a machine with four wheels that runs on roads",
    "a boat": "a thing that carries people over water",
    "a train": "a long row of cars that runs on rails",
    "a plane": "a machine with wings that carries people",
    "a computer": "a machine that works with numbers",
    "a robot": "a machine that works for people",
    "a token": "a small piece of text",
    "a word": "a sound with a meaning",
    "a number": "what we use to count",
    "a language model": "a program that guesses the next token",
    "music": "sounds that are nice to hear",
    "a friend": "a person whom you like and who likes you",
    "sleep": "the rest that we take at night",
    "a dream": "a story that we see in our sleep",
    "love": "a warm feeling for somebody",
    "a secret": "a thing that you tell to nobody",
    "a joke": "a short story that makes people laugh",
}

RECIPES = {
    "make a cake": "Mix flour, sugar, eggs and milk. Put the mix in a pan. Bake it in a hot oven. "
                   "Let it cool before you eat it.",
    "make tea": "Heat some water. Put the tea in a cup. Pour the hot water over it. Wait a little "
                "and drink it.",
    "make soup": "Cut some carrots and beans. Put them in a pot of water. Cook them slowly. "
                 "Add salt at the end.",
    "make bread": "Mix flour, water and salt. Let it rest for a night. Bake it in a hot oven.",
    "make a salad": "Wash the green leaves. Cut them into small pieces. Add oil and salt.",
    "make a sandwich": "Take two pieces of bread. Put butter and cheese between them. Eat it.",
    "make a kite": "Tie two sticks into a cross. Put paper over them. Add a long string. "
                   "Run with it in the wind.",
    "make a paper boat": "Take a piece of paper. Fold it in the middle. Fold the corners down. "
                         "Pull the sides open.",
    "make a snowman": "Roll three balls of snow. Put one on top of the other. Add two stones for "
                      "eyes and a carrot for a nose.",
    "plant a tree": "Dig a hole in the ground. Put the young tree in it. Fill the hole with earth. "
                    "Give it water every day.",
    "wash my hands": "Make them wet. Rub them with soap. Hold them under the water. Dry them.",
    "cook an egg": "Put the egg in hot water. Wait five minutes. Take it out and let it cool.",
    "draw a cat": "Draw a ball for the head. Add two ears and two eyes. Draw a body with four legs "
                  "and a tail.",
    "find a book": "Go to the library. Ask for the name of the book. Look for it on the shelf.",
    "catch a fish": "Tie a hook to a line. Put some bread on the hook. Throw it into the water. "
                    "Wait until the line moves.",
    "clean my room": "Pick up your things. Put them in the right place. Wash the floor.",
}

OPPOSITES = {
    "hot": "cold", "big": "small", "old": "young", "wet": "dry", "day": "night", "up": "down",
    "open": "closed", "happy": "sad", "fast": "slow", "full": "empty", "hard": "soft",
    "light": "dark", "left": "right", "long": "short", "high": "low", "good": "bad",
    "first": "last", "yes": "no", "clean": "dirty", "rich": "poor", "strong": "weak",
    "early": "late", "loud": "quiet", "sweet": "sour",
}

# Words with two senses: for each sense what it means, then sentences that show it. The last
# sentence of each sense is kept for the probes.
SENSES = {
    "bank": (
        ("the side of a river", "{name} sat on the river bank.",
         "{name} caught a fish on the bank.", "The boat came to the bank.",
         "The bank was green and wet.", "The boat lay at the river bank."),
        ("a house for money", "{name} opened a bank account.",
         "{name} put the money in the bank.", "The bank gave {name} some coins.",
         "The bank was closed, so {name} could not pay.", "{name} took the coins to the bank."),
    ),
    "bat": (
        ("an animal that flies at night", "{name} saw a bat in the cave.",
         "The bat flew out at night.", "The bat has two wings.",
         "The bat sleeps in the dark.", "At night the bat left the cave."),
        ("a stick for a game", "{name} hit the ball with the bat.",
         "The bat is made of wood.", "{name} bought a bat for the game.",
         "{name} held the bat and waited for the ball.", "{name} lost the bat after the game."),
    ),
    "ring": (
        ("a band for a finger", "{name} wore a gold ring.", "The ring was too small for my finger.",
         "The queen lost her ring.", "{name} bought a ring of gold.",
         "A gold ring was on the finger of {name}."),
        ("the sound of a bell", "{name} heard the ring of the phone.",
         "The ring of the bell was loud.", "After the second ring {name} opened the door.",
         "The ring of the clock woke {name}.", "{name} heard the loud ring of the bell."),
    ),
    "bark": (
        ("the sound of a dog", "{name} heard the bark of a dog.", "The bark of the dog was loud.",
         "The cat ran away from the bark.", "A loud bark woke {name}.",
         "The bark of the dog woke {name}."),
        ("the skin of a tree", "The bark of the old tree was brown.",
         "{name} cut a piece of bark from the tree.", "A bug lives under the bark.",
         "The goat ate the bark of the tree.", "{name} found a bug on the bark of the tree."),
    ),
    "spring": (
        ("the time after winter", "In spring the flowers grow.",
         "{name} waits all winter for the spring.", "The spring was warm and green.",
         "The birds come back in spring.", "In spring the birds sing and flowers grow."),
        ("a curl of metal", "The spring of the old bed was broken.",
         "{name} put a new spring in the clock.", "The spring was made of metal.",
         "{name} pulled the spring and let it go.", "The clock has a broken spring."),
    ),
    "nail": (
        ("the hard end of a finger", "{name} cut the nail of one finger.",
         "The nail of my finger is pink.", "{name} hurt a finger and broke the nail.",
         "The doctor looked at the nail of my hand.", "The nail of one finger is too long."),
        ("a pin of iron", "{name} hit the nail with a hammer.",
         "The nail in the wall held the clock.", "The nail was made of iron.",
         "{name} needs a hammer and a nail.", "{name} put an iron nail in the wall."),
    ),
}
