"""The plots of the stories: pure data, filled in by `stories.py`.

A plot is a row of steps, a step is a row of sentences of which one is told ("" leaves the step
out). Slots stand in braces; one that starts with a capital starts a sentence. The first {hero}
and the first {friend} are told as somebody new ("a boy named Tom", "a lazy dog"), later ones as
somebody known ("Tom", "the dog"). {he} {him} {his} follow the hero, {f_him} the friend.
"""

from typing import NamedTuple


class Plot(NamedTuple):
    """`hero` and `friend` say who may play: "person", "animal" or "any"; `mood` how it ends."""

    hero: str
    friend: str
    mood: str
    steps: tuple[tuple[str, ...], ...]


OPENINGS = (
    "Once upon a time, there was {intro}.",
    "Once upon a time there was {intro}.",
    "Once upon a time, there was {intro} who lived {lived}.",
    "Once upon a time there lived {intro}.",
    "Once there was {intro}.",
    "There was once {intro} who lived {lived}.",
    "{Described}.",
    "{Hero} lived {lived}.",
)

ENDINGS = {
    "friends": (
        "From that day on, {hero} and {friend} were best friends.",
        "Now {hero} and {friend} play together every day.",
        "They played until the sun went down.",
        "They became good friends.",
        "After that, {hero} was never lonely again.",
        "{Hero} was happy to have a friend.",
    ),
    "happy": (
        "{Hero} was very happy.",
        "{Hero} smiled and went home.",
        "{He} went home with a big smile.",
        "It was the best day of the year.",
        "They laughed and went home together.",
        "Then {hero} and {friend} ate {food} together.",
        "That night {hero} slept well.",
        "They were both happy.",
    ),
    "proud": (
        "{Hero} was very proud.",
        "\"I did it!\" {he} cried.",
        "Now {hero} does it every day.",
        "Everybody clapped for {him}.",
        "{Hero} never gave up again.",
        "{Friend} was proud of {him}.",
    ),
    "won": (
        "{Hero} was very proud.",
        "All the animals clapped.",
        "Since then, {friend} is a little more quiet.",
        "{Hero} got some {food} for it.",
        "After the race they became friends.",
    ),
    "wise": (
        "{Hero} felt much better.",
        "Since then, {hero} always tells the truth.",
        "{Hero} learned to be more careful.",
        "{He} promised to be more careful.",
        "{Friend} gave {him} a big hug.",
        "They were still friends.",
    ),
    "content": (
        "Then {hero} was happy again.",
        "{Hero} never wished for more.",
        "Since then, {hero} and {friend} are friends.",
        "{Hero} had all that {he} needed.",
        "{Hero} laughed and went home.",
    ),
    "calm": (
        "{Hero} laughed and went back to bed.",
        "Then {he} slept until morning.",
        "{Hero} was not scared any more.",
        "It was only a small thing after all.",
        "After that, {he} was never afraid of the dark.",
    ),
}

LOST = Plot("any", "any", "happy", (
    ("{Day} {hero} lost {his} {color} {thing}.",
     "{Hero} had a {color} {thing}. {Day} it was gone.",
     "{Day} {hero} could not find {his} {color} {thing}.",
     "{Day} {hero} went to {place} and lost {his} {thing}."),
    ("{He} looked under the bed and behind the door.", "{He} looked for it all day.",
     "{He} looked {there}, but it was not there.", "{He} asked everybody, but nobody knew."),
    ("{He} was sad and began to cry.", "{He} did not know what to do.", ""),
    ("Then {friend} came by.", "Soon {he} met {friend}.", "{Friend} saw {him}."),
    ("\"What is wrong?\" asked {friend}.", "\"Why are you so sad?\" asked {friend}.",
     "\"Can I help you?\" asked {friend}."),
    ("\"I lost my {thing},\" said {hero}.", "\"I can not find my {thing},\" {he} said.",
     "{Hero} told {friend} about the {thing}."),
    ("\"Let us look for it together,\" said {friend}.", "They looked for it together.",
     "{Friend} had a good idea."),
    ("At last they found the {thing} under a tree.", "They found the {thing} in the grass.",
     "{Friend} saw the {thing} behind a rock.", "The {thing} was in the box all the time!"),
    ("\"Thank you!\" said {hero}.", "{Hero} thanked {friend}.", ""),
))

LONELY = Plot("any", "any", "friends", (
    ("{Hero} had no friends.", "{Hero} was lonely.", "{Hero} wanted to have a friend.",
     "{Day} {hero} was all alone."),
    ("{He} went to {place}.", "{He} walked to {place} to look for a friend.",
     "{He} sat {there} and looked at the sky."),
    ("There {he} met {friend}.", "There {he} saw {friend}.", "Then {friend} came along."),
    ("{Hero} was shy and hid behind a tree.", "At first {hero} was afraid.",
     "{Hero} did not know what to say.", ""),
    ("\"Hello! Do you want to play with me?\" asked {friend}.",
     "\"Hello,\" said {friend}. \"Why are you alone?\"",
     "\"I have no friends,\" said {hero}.",
     "\"Can we be friends?\" asked {hero}."),
    ("\"Come and play with me!\" said {friend}.", "\"Let us play!\" said {friend}.",
     "\"I will be your friend,\" said {friend}."),
    ("They played with a {color} ball.", "They ran and jumped {there}.",
     "They played hide and seek.", "They shared some {food}.", "They told each other jokes."),
))

HUNGRY = Plot("any", "animal", "friends", (
    ("{Day} {hero} was very hungry.", "{Hero} was hungry and looked for food.",
     "{Day} {hero} could not find any food."),
    ("{He} had only a little {food} left.", "{He} went to {place} and got some {food}.",
     "{He} sat down {there} to eat {his} {food}."),
    ("Then {friend} came by.", "Just then {he} saw {friend}.", "But {friend} was watching."),
    ("\"I did not eat all day,\" said {friend}.", "{Friend} was even more hungry.",
     "{Friend} looked thin and sad.", "\"Please give me some,\" said {friend}."),
    ("{Hero} thought about it.", "{Hero} did not want to share at first.", ""),
    ("\"Here, take half of it,\" {he} said.", "{Hero} gave {friend} half of the {food}.",
     "Then {he} shared the {food} with {friend}."),
    ("They ate together.", "\"You are very kind,\" said {friend}.",
     "{Friend} ate it all and smiled."),
    ("The next day {friend} brought {him} some {food2}.", "It is good to share.", ""),
))

LEARN = Plot("any", "any", "proud", (
    ("{Hero} wanted to {skill}.", "{Day} {hero} wanted to learn to {skill}.",
     "{Hero} had a wish. {He} wanted to {skill}."),
    ("{He} tried it {there}.", "{He} went to {place} and tried.", "{He} tried and tried."),
    ("But it was too hard.", "But it was not easy.", "It did not go well.",
     "But {he} could not do it."),
    ("\"I will never {skill},\" {he} said.", "{Hero} was angry and wanted to stop.",
     "{He} sat down and cried.", ""),
    ("{Friend} was watching.", "Then {friend} came to help.", "{Friend} heard {him}."),
    ("\"Do not give up,\" said {friend}.", "\"Try it again,\" said {friend}.",
     "\"I can show you,\" said {friend}.", "\"You only need some time,\" said {friend}."),
    ("{Friend} showed {him} how to do it.", "{Hero} tried again, and again, and again.",
     "So they tried it together every day."),
    ("At last {he} could {skill}!", "After a week {hero} could {skill} very well.",
     "Then, all at once, it worked!"),
))

RAIN = Plot("any", "any", "happy", (
    ("{Day} {hero} and {friend} went to {place}.", "{Day} {hero} met {friend} {there}.",
     "{Hero} and {friend} wanted to play {there}."),
    ("The sun was warm and the sky was blue.", "They wanted to play all day.",
     "They took some {food} with them.", ""),
    ("Then a dark cloud came.", "Suddenly it began to rain.", "Then the wind began to blow.",
     "Soon big drops of rain fell."),
    ("\"Oh no!\" cried {hero}.", "\"I am getting wet!\" said {friend}.",
     "\"What can we do now?\" asked {hero}."),
    ("They ran under a big tree.", "They ran into an old house.", "They hid under a table.",
     "{Friend} found a dry cave."),
    ("They sat there and told stories.", "They ate the {food} and sang songs.",
     "They waited for a long time.", "They were cold, so they sat close together."),
    ("Then the rain stopped.", "At last the sun came back.",
     "After the rain they saw many colors in the sky."),
    ("They jumped in the water on the road.", "\"Look how green it is now!\" said {friend}.", ""),
))

BIRTHDAY = Plot("person", "any", "happy", (
    ("{Day} was a special day for {friend}.", "It was the birthday of {friend}.",
     "{Hero} knew that it was the birthday of {friend}."),
    ("{Hero} wanted to give {friend} something nice.", "{Hero} did not have a gift yet.",
     "{Hero} looked for a good gift."),
    ("{He} went to the market and bought a {color} {thing}.", "{He} made a {color} {thing}.",
     "{He} found a {color} {thing} in the shop."),
    ("{He} put it in a big box.", "{He} hid it under {his} coat.", ""),
    ("\"This is for you,\" said {hero}.", "\"Guess what I have,\" said {hero}.",
     "{Hero} knocked on the door and gave {friend} the {thing}."),
    ("\"It is beautiful!\" cried {friend}.", "\"A {color} {thing}! Thank you!\" said {friend}.",
     "{Friend} jumped up and down."),
    ("They ate cake and danced.", "They played with the {thing} all day.",
     "Then everybody sang a song."),
))

SHARE = Plot("any", "any", "friends", (
    ("{Day} {hero} and {friend} found a {color} {thing} {there}.",
     "{Hero} and {friend} both wanted the {color} {thing}.",
     "{Day} {hero} played with a {color} {thing}. {Friend} wanted it too."),
    ("\"It is mine!\" said {hero}.", "\"Give it to me!\" cried {friend}.",
     "\"I saw it first!\" cried {hero}."),
    ("\"No, it is mine!\" said {friend}.", "They pulled and pulled.", "They were both angry."),
    ("Then the {thing} fell into the water.", "An old {elder} heard them.",
     "Then {hero} began to think.", "They did not talk for an hour."),
    ("\"We can share it,\" said {hero}.", "\"Let us play with it together,\" said {friend}.",
     "\"I am sorry,\" said {hero}. \"You can have it first.\""),
    ("So they took turns.", "{Friend} smiled and said yes.", "\"That is fair,\" said {friend}."),
    ("It was much more fun that way.", "Nobody was angry any more.", ""),
))

RESCUE = Plot("person", "animal", "friends", (
    ("{Day} {hero} heard a sound {there}.", "{Day} {hero} went to {place}.",
     "{Day} {hero} went to {place}.", "{Hero} was on the way to {place}."),
    ("There {he} saw {friend}.", "There was {friend}, all alone.",
     "There {he} found {friend}."),
    ("{Friend} was hurt.", "{Friend} was cold and wet.", "{Friend} could not walk.",
     "{Friend} was very weak."),
    ("\"Do not be afraid,\" said {hero}.", "\"Poor thing!\" said {hero}.",
     "\"I will help you,\" said {hero}."),
    ("{He} took {friend} home.", "{He} called {his} {parent} for help.",
     "{He} put {his} coat around {friend}."),
    ("{He} gave it some {food} and water.", "{He} gave it a warm bed.",
     "They gave it some warm milk."),
    ("After a week {friend} was well again.", "The next day {friend} could walk again.",
     "Soon {friend} was strong again."),
))

BOX = Plot("any", "any", "happy", (
    ("{Day} {hero} found an old box {there}.", "{Day} {hero} saw a strange box {there}.",
     "{Hero} found a box under a tree."),
    ("It was closed.", "There was a lock on it.", "It was very heavy.", ""),
    ("\"What is in it?\" asked {hero}.", "{Hero} wanted to know what was in it.",
     "{Hero} could not open it alone."),
    ("{He} asked {friend} to help.", "Then {friend} came with a key.",
     "{He} showed it to {friend}."),
    ("They opened it together.", "{Friend} opened it slowly.", "They pulled and it opened."),
    ("There was a {color} {thing} in it!", "It was full of gold coins!",
     "There was an old map in it.", "There was nothing in it but a letter."),
    ("\"Who lost this?\" asked {friend}.", "\"It is a secret,\" said {hero}.",
     "\"We are rich!\" cried {hero}.", "\"Let us take it home,\" said {friend}."),
    ("They gave it to an old {elder}.", "They hid it in a safe place.",
     "They shared it with everybody.", ""),
))

NOISE = Plot("any", "animal", "calm", (
    ("One night {hero} heard a strange sound.", "One dark night a sound woke {hero}.",
     "In the middle of the night {hero} heard something."),
    ("It came from the kitchen.", "It came from under the bed.", "It came from the garden.",
     "It came from the window."),
    ("{Hero} was scared.", "{Hero} hid under the blanket.", "\"Who is there?\" asked {hero}.",
     "{His} heart beat fast."),
    ("Then {he} took a lamp and looked.", "Slowly {he} opened the door.",
     "{He} got up very quietly.", "But {he} wanted to be brave."),
    ("It was only {friend}!", "There sat {friend}!", "{He} saw {friend}."),
    ("It was eating {food}.", "It wanted to come in.", "It was looking for food.",
     "It was afraid too."),
    ("\"You scared me!\" said {hero}.", "{Hero} gave it some {food}.", ""),
))

COOK = Plot("any", "any", "happy", (
    ("{Day} {hero} and {friend} wanted to make {dish}.",
     "{Day} {hero} made {dish} for {friend}.",
     "{Hero} wanted to make {dish} with {friend}."),
    ("They took flour, eggs and milk.", "{Hero} mixed it in a big pot.",
     "They went to the market first.", "{Friend} washed the pot."),
    ("But {hero} took salt and not sugar.", "But {friend} forgot it on the fire.",
     "But then {hero} fell asleep.", "But the pot was too small."),
    ("It smelled very bad.", "Soon the kitchen was full of smoke.", "It tasted very bad.",
     "It ran over the table and the floor."),
    ("\"Oh no!\" said {friend}.", "They looked at each other and laughed.",
     "\"I am so sorry,\" said {hero}."),
    ("\"Let us try again,\" said {hero}.", "So they cleaned the kitchen and tried again.",
     "\"It does not matter,\" said {hero}."),
    ("This time it was very good.", "In the end they ate {food}.", "The second one was sweet."),
))

RACE = Plot("animal", "animal", "won", (
    ("{Day} {hero} met {friend}.", "{Hero} and {friend} lived next to each other."),
    ("\"I am faster than you,\" said {friend}.", "\"You are so slow,\" said {friend}.",
     "{Friend} always laughed at {hero}."),
    ("\"Let us have a race,\" said {hero}.", "\"We will see,\" said {hero}.",
     "So they ran a race to {place}."),
    ("All the animals came to watch.", "{A_beast} counted to three.", ""),
    ("{Friend} ran very fast.", "At first {friend} was far ahead.",
     "{Friend} ran like the wind."),
    ("Then {friend} stopped to rest.", "But {friend} fell asleep under a tree.",
     "But {friend} saw some {food} and stopped."),
    ("{Hero} did not stop.", "{Hero} went on, step by step.", "{Hero} ran on and on."),
    ("In the end {hero} was first.", "{Hero} won the race!", "So {hero} won."),
    ("\"Well done,\" said {friend}.", "{Friend} never laughed at {hero} again.", ""),
))

BROKEN = Plot("person", "any", "wise", (
    ("{Day} {hero} played with a ball in the house.", "{Day} {hero} ran through the kitchen.",
     "{Day} {hero} took the {thing} of {friend}."),
    ("Then there was a loud sound.", "Suddenly something fell down.", "Then it happened."),
    ("The {color} {thing} of {friend} was broken.", "{He} broke the {color} {thing} of {friend}."),
    ("{Hero} was scared.", "{Hero} wanted to run away.", "{Hero} hid it under the sofa.",
     "\"Nobody saw me,\" thought {hero}."),
    ("But {he} could not sleep.", "But {he} did not feel good.", "But {he} wanted to be good."),
    ("So {he} went to {friend} and told the truth.", "\"It was me,\" {he} said.",
     "\"I am sorry, I broke it,\" said {hero}."),
    ("\"Thank you for telling me,\" said {friend}.", "{Friend} was not angry.",
     "\"It is only a {thing},\" said {friend}."),
    ("They fixed it together.", "{Hero} helped {friend} to fix it.", ""),
))

MARKET = Plot("person", "person", "happy", (
    ("{Day} {hero} went to the market.", "{Hero} had three coins.",
     "{His} {parent} sent {hero} to the market."),
    ("{He} wanted to buy {food}.", "{He} looked at all the nice things.",
     "{He} saw a {color} {thing} and wanted it."),
    ("On the way {he} met {friend}.", "Next to the door sat {friend}.",
     "There {he} saw {friend}."),
    ("\"I have no money for {food2},\" said {friend}.", "{Friend} looked very sad.",
     "\"I lost all my coins,\" said {friend}."),
    ("{Hero} gave {f_him} a coin.", "\"Take this,\" said {hero}.",
     "{Hero} bought {food2} for {f_him}."),
    ("\"You have a good heart,\" said {friend}.", "{Friend} thanked {him} many times.",
     "{Friend} gave {him} a {color} {thing} for it."),
))

SEED = Plot("any", "any", "happy", (
    ("{Day} {hero} found a small seed.", "{Friend} gave {hero} a small seed.",
     "{Hero} bought a seed at the market."),
    ("{He} put it in the ground.", "{He} planted it in the garden.",
     "{He} made a hole and put the seed in it."),
    ("{He} gave it water every day.", "{He} waited and waited.", "Then the rain came."),
    ("Nothing happened for a long time.", "At first there was nothing to see.", ""),
    ("\"It will never grow,\" said {friend}.", "\"Be patient,\" said {friend}.",
     "\"What will it be?\" asked {friend}."),
    ("Then one day there was a small green leaf.", "In spring it began to grow.",
     "One morning there was a {color} flower."),
    ("It grew and grew until it was a big tree.", "It was higher than the house.",
     "Soon it was the biggest plant in the village."),
    ("Everybody came to look at it.", "The birds came and sang in it.", ""),
))

BOAT = Plot("any", "any", "happy", (
    ("{Day} {hero} and {friend} built a boat.", "{Day} {hero} took a boat with {friend}.",
     "{Hero} and {friend} wanted to see the sea."),
    ("They took {food} and water with them.", "The sea was blue and calm.",
     "They went far away from the land."),
    ("Then a strong wind came.", "Suddenly the waves were high.", "At night they lost the way."),
    ("\"I am afraid,\" said {friend}.", "\"Hold my hand,\" said {hero}.",
     "\"Look, there is land!\" cried {hero}."),
    ("They came to a small island.", "In the morning they saw an island."),
    ("On the island lived {a_beast}.", "There they found many sweet apples.",
     "There was nobody on the island.", "{A_beast} came out of the forest."),
    ("\"I know the way home,\" said {friend}.", "They stayed there for a day.",
     "They slept under the stars."),
    ("Then they went home.", "In the end they came home again.", ""),
))

JUMP = Plot("animal", "animal", "friends", (
    ("{Hero} quickly {jumped} over {the_friend}.", "{Day} {hero} {jumped} over {the_friend}.",
     "{Hero} {jumped} over {the_friend} {there}."),
    ("{Friend} opened one eye.", "{Friend} woke up.", "{Friend} did not move.",
     "{Friend} looked up."),
    ("\"Why did you do that?\" asked {friend}.", "\"Leave me alone,\" said {friend}.",
     "\"Be careful!\" said {friend}."),
    ("\"I wanted to play,\" said {hero}.", "\"I am so bored,\" said {hero}.",
     "\"Come and run with me!\" said {hero}.", "\"Sorry,\" said {hero}. \"I did not see you.\""),
    ("{Friend} thought about it.", "{Friend} did not want to get up.",
     "{Friend} began to laugh.", ""),
    ("Then they ran to {place} together.", "So they ran and jumped all day.",
     "Then {friend} jumped over {hero} too.", "At last {friend} got up and played too."),
))

CURIOUS = Plot("animal", "animal", "happy", (
    ("{Day} {hero} saw something {color} {there}.", "{Hero} saw something in a hole.",
     "{Hero} found something {color} {there}.", "{Day} {hero} found something in the grass."),
    ("\"What is that?\" {he} thought.", "It moved a little.", "{He} came closer and closer.",
     "{He} could smell {food}."),
    ("It was a {color} {thing}.", "Suddenly it moved!",
     "Suddenly there was a loud sound."),
    ("{Hero} ran away as fast as the wind.", "{Hero} was not afraid.",
     "{Hero} jumped back.", "{Hero} played with it for an hour."),
    ("Behind a tree sat {the_friend}.", "{The_friend} saw it all."),
    ("\"You are very brave,\" said {friend}.", "\"You are very funny,\" said {friend}.",
     "\"Do not be so curious,\" said {friend}."),
))

SNOW = Plot("person", "any", "happy", (
    ("One winter morning {hero} looked out of the window.", "One winter day it began to snow.",
     "One winter day {hero} woke up early."),
    ("Everything was white.", "There was snow on every tree.", "It was very cold."),
    ("{Hero} put on {his} {color} coat and ran out.", "\"Snow!\" cried {hero}.",
     "{Hero} called {friend} at once."),
    ("{He} and {friend} made a big snowman.", "{He} and {friend} rolled three balls of snow."),
    ("They gave it a {color} hat.", "It had two stones for eyes.", "It was as big as a bear."),
    ("Then they drank hot milk.", "Soon their hands were cold.", "They were out all day."),
))

STAR = Plot("any", "any", "happy", (
    ("One night {hero} looked at the stars.", "{Hero} loved the stars.",
     "{Day} {hero} wanted to touch the moon."),
    ("\"How far is the moon?\" {he} asked.", "One star fell from the sky.",
     "{He} climbed on a hill to be closer."),
    ("{He} made a wish.", "\"I want to fly,\" {he} said.", "\"I wish for a friend,\" {he} said.",
     "{He} wished for a {color} {thing}."),
    ("Then {friend} came along.", "There sat {friend}.",
     "Next to {him} sat {friend}."),
    ("\"What do you see?\" asked {friend}.", "\"I love the stars too,\" said {friend}.",
     "\"The moon is too far,\" said {friend}."),
    ("They counted the stars together.", "They looked at the sky until morning.",
     "They told each other stories about the moon."),
))

LOST_WAY = Plot("any", "any", "happy", (
    ("{Day} {hero} went to {place}.", "{Day} {hero} went for a long walk.",
     "{Day} {hero} ran after a bird."),
    ("Soon {he} did not know the way back.", "{He} went too far and lost the way.",
     "But then it was dark, and {he} was all alone."),
    ("\"Where am I?\" said {hero}.", "{Hero} was afraid and called for help.",
     "{He} sat down under a tree.", ""),
    ("Then {he} heard {friend}.", "{Friend} heard {him}.", "There {he} met {friend}."),
    ("\"Are you lost?\" asked {friend}.", "\"I know the way,\" said {friend}.",
     "\"Come with me,\" said {friend}."),
    ("They walked over the hill and through the forest.", "They went along the river.",
     "{Friend} had a lamp, so they could see the road."),
    ("At last they saw a light.", "Soon {hero} could see the house.",
     "In the morning they were home."),
))

WISHES = Plot("person", "animal", "content", (
    ("{Day} {hero} saw {friend} {there}.", "{Day} {hero} met {friend} {there}.",
     "{Hero} helped {friend} out of a hole."),
    ("\"I will give you one wish,\" said {friend}.", "\"You can have a wish,\" said {friend}.",
     "{Friend} could talk! \"What do you wish for?\" it asked."),
    ("\"I want to be rich,\" said {hero}.", "{Hero} wished for a house full of {food}.",
     "{Hero} wanted to be as big as a tree.", "\"I wish for a {color} {thing},\" said {hero}."),
    ("At once the wish came true.", "Then there was a bright light.", "And so it happened."),
    ("But {hero} was not happy.", "But soon {he} was lonely.", "But it was not what {he} wanted.",
     "At first {hero} was glad, but then {he} was sad."),
    ("\"I want it to be as it was,\" said {hero}.", "{He} went back to {friend}.",
     "\"Please take it back,\" {he} said."),
    ("\"As you wish,\" said {friend}.", "{Friend} smiled and took it back.",
     "\"Now you know what you have,\" said {friend}."),
))

LETTER = Plot("person", "any", "happy", (
    ("{Day} {hero} got a letter.", "{Day} {hero} found a letter under the door.",
     "A letter came for {hero}."),
    ("It was from {friend}.", "It came from {friend}, far away."),
    ("\"Please come and see me,\" it said.", "\"I think of you every day,\" it said.",
     "\"I have a secret for you,\" it said."),
    ("{Hero} read it again and again.", "{Hero} put it in {his} bag.", ""),
    ("The next day {he} went to the station.", "So {he} took a train.",
     "So {he} walked for two days."),
    ("{Friend} was waiting at the door.", "{Friend} ran to meet {him}.",
     "{Friend} could not believe it."),
    ("They talked all night.", "They ate {food} and talked.",
     "{Friend} gave {him} a {color} {thing}."),
))

ILL = Plot("any", "any", "friends", (
    ("{Day} {hero} went to see {friend}.", "{Day} {hero} heard that {friend} was sick.",
     "{Day} {hero} looked for {friend}."),
    ("{Friend} was in bed and could not play.", "{Friend} was very weak.",
     "{Friend} had a cold."),
    ("\"I feel so bad,\" said {friend}.", "\"I am so bored,\" said {friend}.",
     "\"What can I do for you?\" asked {hero}."),
    ("{Hero} made some hot soup.", "{Hero} brought {food} and a {color} {thing}.",
     "{Hero} told a funny story.", "{Hero} sang a song."),
    ("{Friend} laughed for the first time.", "{Friend} ate a little and slept.",
     "\"Now I feel better,\" said {friend}."),
    ("{Hero} came back every day.", "{Hero} stayed until the evening.", ""),
    ("After a week {friend} could play again.", "Soon {friend} was well again."),
))

HIDE = Plot("any", "any", "happy", (
    ("{Day} {hero} played hide and seek with {friend}.",
     "{Day} {hero} and {friend} went to {place} to play.",
     "{Hero} and {friend} played hide and seek {there}."),
    ("{Hero} counted to ten.", "\"You can not find me!\" cried {friend}.",
     "{Hero} closed {his} eyes and {friend} ran away."),
    ("{He} looked behind the door.", "{He} looked under the table and in the box.",
     "{He} looked behind every tree."),
    ("But {friend} was not there.", "{He} found only a {color} {thing}.",
     "{He} saw a big {color} coat move.", "Then {he} heard a laugh."),
    ("\"Where are you?\" called {hero}.", "\"I give up!\" said {hero}.",
     "\"I know that you are here,\" said {hero}."),
    ("{Friend} was in the tree!", "{Friend} sat under the blanket.",
     "{Friend} jumped out of a basket.", "At last {hero} found {friend} asleep under a bench."),
))

PICTURE = Plot("any", "any", "proud", (
    ("{Day} {hero} wanted to paint {friend}.", "{Day} {hero} made a picture of {friend}.",
     "{Hero} loved to paint. {Day} {he} painted {friend}."),
    ("{He} took a lot of {color}.", "{He} worked at it all day.", "{He} began with the nose."),
    ("\"That does not look like me,\" said {friend}.", "\"My nose is not so big,\" said {friend}.",
     "Everybody laughed at the picture."),
    ("{Hero} was sad, but {he} began again.", "\"Then I will try again,\" said {hero}.",
     "{Hero} thought about it for a long time."),
    ("The second picture was better.", "This time {he} painted very slowly.",
     "{He} used more {color} this time."),
    ("\"That is me!\" cried {friend}.", "\"It is beautiful,\" said {friend}.",
     "{Friend} put it on the wall."),
))

PLOTS = (
    LOST, LONELY, HUNGRY, LEARN, RAIN, BIRTHDAY, SHARE, RESCUE, BOX, NOISE, COOK, RACE, BROKEN,
    MARKET, SEED, BOAT, JUMP, CURIOUS, SNOW, STAR, LOST_WAY, WISHES, LETTER, ILL, HIDE, PICTURE,
)
ANIMAL_PLOTS = tuple(plot for plot in PLOTS if plot.hero != "person")
