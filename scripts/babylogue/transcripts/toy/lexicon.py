"""The world of the toy transcripts: things and animals with their fixed facts, and the forms of words.

Every child of the toy corpora lives in this one world (the spoon is always in the drawer), so that what a model
learns from some children holds for the others.
"""

from dataclasses import dataclass

THINGS = {
    "kitchen": """
        spoon | in drawer | silver | stir soup | shiny | mommy
        pan | on stove | black | fry eggs | hot | daddy
        cup | on shelf | blue | drink milk | empty | me
        plate | in cupboard | white | hold sandwiches | round | grandma
        kettle | near sink | grey | boil water | noisy | mommy
        knife | behind jar | red | cut bread | sharp | daddy
        bowl | under counter | yellow | mix batter | deep | grandma""",
    "lunch": """
        apple | in basket | green | bite it | crunchy | me
        cookie | inside tin | brown | dip it | sweet | grandpa
        carrot | beside bread | orange | crunch it | yummy | bunny
        banana | on table | yellow | peel it | soft | me
        sandwich | in lunchbox | white | chew it | tasty | daddy
        strawberry | on cake | red | lick it | juicy | auntie
        egg | in carton | white | crack it | fragile | mommy""",
    "bath": """
        duck | in bathtub | yellow | squeeze it | floaty | baby
        towel | on hook | blue | dry myself | fluffy | mommy
        sponge | near faucet | pink | scrub backs | squishy | me
        toothbrush | in glass | green | clean teeth | tickly | me
        soap | in dish | white | wash hands | slippery | daddy
        comb | by mirror | purple | brush hair | spiky | auntie
        bucket | under basin | red | pour bubbles | wet | me""",
    "bedtime": """
        pillow | on bed | white | rest heads | soft | me
        blanket | over chair | blue | keep warm | cosy | baby
        teddy | under covers | brown | hug him | cuddly | me
        lamp | on nightstand | gold | read stories | bright | daddy
        pajama | in closet | green | sleep tight | stripy | me
        story | beside crib | purple | turn pages | long | grandma
        curtain | at window | grey | hide moonlight | dark | mommy""",
    "garden": """
        flower | in pot | pink | smell it | pretty | grandma
        shovel | in shed | grey | dig holes | muddy | grandpa
        hose | behind fence | green | water plants | leaky | grandpa
        tree | by gate | green | climb up | tall | everybody
        wheelbarrow | on path | red | carry leaves | heavy | grandpa
        seed | inside packet | brown | plant them | tiny | grandma
        ladder | against wall | silver | pick cherries | wobbly | uncle""",
    "seaside": """
        shell | on sand | pink | hear waves | smooth | auntie
        boat | on sea | white | sail away | fast | uncle
        crab | under rock | orange | catch crawlers | pinchy | me
        spade | in castle | blue | make tunnels | sandy | me
        umbrella | above us | purple | get shade | huge | mommy
        net | off pier | green | trap shrimps | tangled | uncle
        pebble | in pocket | grey | throw far | cold | me""",
    "music": """
        drum | in corner | red | bang loudly | loud | me
        piano | by sofa | black | press keys | grand | auntie
        guitar | on stage | brown | strum strings | quiet | uncle
        trumpet | in case | gold | blow hard | brassy | teacher
        bell | around neck | silver | ring it | jingly | grandma
        flute | on stand | silver | whistle tunes | high | teacher
        tambourine | in toybox | yellow | shake it | rattly | baby""",
    "drawing": """
        crayon | in pencilcase | purple | colour pictures | waxy | me
        paper | on easel | white | fold planes | thin | teacher
        ruler | behind books | orange | measure lines | straight | teacher
        glue | in tube | white | stick stars | gooey | teacher
        brush | in jar | brown | paint rainbows | bristly | auntie
        sticker | on fridge | gold | decorate cards | sparkly | me
        chalk | by blackboard | blue | write letters | dusty | teacher""",
    "shops": """
        bread | at bakery | brown | toast slices | fresh | baker
        cart | by entrance | grey | push groceries | squeaky | baker
        purse | in handbag | red | pay cashiers | small | mommy
        balloon | on string | pink | pop it | airy | me
        cheese | in freezer | yellow | grate some | smelly | daddy
        bag | over shoulder | green | pack vegetables | strong | mommy
        doll | in shopwindow | pink | dress her | lovely | auntie""",
    "trains": """
        train | at station | red | ride inside | fast | driver
        ticket | in wallet | yellow | show inspectors | flat | driver
        bridge | over river | grey | cross over | wide | everybody
        engine | on rails | black | pull wagons | steamy | driver
        bus | at stop | red | travel downtown | crowded | driver
        truck | in garage | orange | load bricks | dirty | uncle
        bike | on pavement | green | pedal quickly | new | me""",
    "dressing": """
        hat | on peg | purple | cover ears | woolly | grandma
        shoe | by door | black | walk outside | tight | me
        sock | in hamper | white | warm toes | stinky | daddy
        coat | on hanger | blue | zip it | thick | me
        glove | inside sleeve | red | keep fingers | warm | me
        scarf | around shoulders | orange | wrap necks | long | grandpa
        button | on shirt | gold | fasten it | loose | mommy""",
    "doctor": """
        bandage | on knee | pink | fix scratches | sticky | doctor
        pill | in bottle | white | swallow it | bitter | grandpa
        needle | on tray | silver | prick arms | scary | doctor
        thermometer | under tongue | blue | check fevers | glassy | doctor
        tissue | in box | yellow | blow noses | clean | mommy
        syrup | in cabinet | purple | stop coughing | yucky | doctor
        stethoscope | around neck | black | hear hearts | cold | doctor""",
    "building": """
        block | in chest | red | build towers | square | me
        castle | on carpet | grey | protect kings | tall | brother
        robot | behind couch | silver | wind him | clever | brother
        puzzle | in attic | green | match pieces | tricky | grandpa
        car | on ramp | blue | race friends | speedy | brother
        ball | under bench | orange | kick goals | bouncy | me
        digger | on rug | yellow | scoop gravel | broken | brother""",
    "park": """
        swing | near pond | blue | go higher | creaky | everybody
        slide | by sandpit | red | zoom down | steep | everybody
        kite | up sky | purple | fly it | windy | uncle
        bench | under oak | brown | sit down | hard | grandpa
        seesaw | behind trees | yellow | bounce up | bumpy | sister
        fountain | in square | white | splash around | wet | everybody
        scooter | on track | pink | roll along | wobbly | sister""",
    "party": """
        cake | on platter | pink | blow candles | creamy | me
        present | behind door | gold | unwrap it | secret | sister
        candle | in icing | orange | make wishes | waxy | mommy
        crown | on head | gold | be princess | sparkly | sister
        mask | over face | green | scare people | funny | brother
        ribbon | around box | red | tie bows | silky | auntie
        lemonade | in jug | yellow | sip some | fizzy | grandma""",
    "weather": """
        puddle | on street | brown | jump in | muddy | everybody
        boot | on porch | yellow | stomp around | rubbery | me
        raincoat | in hallway | orange | stay dry | shiny | me
        snowman | on lawn | white | give carrots | frosty | brother
        sled | down hill | red | slide downhill | slippery | sister
        cloud | above roof | grey | bring rain | puffy | nobody
        rainbow | across valley | purple | look up | beautiful | nobody""",
    "workshop": """
        hammer | in toolbox | black | hit nails | heavy | grandpa
        screw | on workbench | silver | turn tightly | tiny | uncle
        saw | on wall | orange | cut logs | sharp | uncle
        rope | around pole | brown | tie knots | strong | uncle
        paint | inside can | green | cover fences | drippy | grandpa
        wheel | under car | black | spin round | flat | uncle
        battery | in torch | gold | power toys | dead | daddy""",
    "washing": """
        shirt | in washer | white | button up | clean | daddy
        basket | beside dryer | brown | collect laundry | full | mommy
        iron | on board | grey | press trousers | hot | mommy
        broom | behind cupboard | yellow | sweep floors | bristly | grandma
        mop | in bucket | blue | wipe spills | soggy | daddy
        dress | on clothesline | pink | twirl around | pretty | sister
        vacuum | under stairs | red | suck crumbs | noisy | daddy""",
}
ANIMALS = {
    "farm": """
        cow | in barn | brown | moo | grass | chewing | big
        pig | in mud | pink | oink | potatoes | rolling | fat
        sheep | on hillside | white | baa | clover | resting | woolly
        hen | in coop | red | cluck | corn | pecking | feathery
        horse | in stable | black | neigh | hay | galloping | strong
        donkey | by farmhouse | grey | heehaw | thistles | kicking | stubborn
        goat | on haystack | white | meh | rags | butting | naughty""",
    "zoo": """
        lion | in den | gold | roar | meat | yawning | scary
        snake | under log | green | hiss | rats | slithering | slimy
        monkey | in treetop | brown | eeh | bananas | swinging | silly
        elephant | by waterhole | grey | toot | peanuts | spraying | huge
        wolf | on cliff | grey | howl | rabbits | prowling | fierce
        bear | in cave | black | growl | honey | snoring | furry
        parrot | on perch | green | squawk | crackers | talking | feathery""",
    "pets": """
        dog | in kennel | brown | woof | bones | digging | friendly
        cat | on windowsill | black | meow | tuna | purring | fluffy
        mouse | behind cheeseboard | white | squeak | crumbs | nibbling | tiny
        bird | in cage | yellow | tweet | seeds | flapping | pretty
        goldfish | in tank | orange | blub | flakes | swimming | wet
        hamster | inside wheel | gold | eek | nuts | running | round""",
    "pond": """
        frog | on lilypad | green | ribbit | flies | hopping | slimy
        bee | in hive | yellow | buzz | nectar | stinging | fuzzy
        owl | up chimney | brown | hoot | mice | blinking | wise
        duckling | among reeds | yellow | quack | bread | paddling | small
        swan | near island | white | honk | weeds | gliding | graceful
        turtle | under waterfall | green | snap | lettuce | crawling | slow
        cricket | in meadow | black | chirp | leaves | rubbing | quiet""",
}
COLOURS = [
    "red", "blue", "green", "yellow", "white", "black", "brown", "grey", "pink", "purple", "orange", "silver",
    "gold",
]  # fmt: skip
NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
MASS_NOUNS = ("soap", "paper", "glue", "chalk", "bread", "cheese", "syrup", "lemonade", "paint")
PLURALS = {
    "knife": "knives", "strawberry": "strawberries", "bus": "buses", "toothbrush": "toothbrushes",
    "brush": "brushes", "sandwich": "sandwiches", "dress": "dresses", "bench": "benches", "shelf": "shelves",
    "scarf": "scarves", "battery": "batteries", "story": "stories", "sheep": "sheep", "wolf": "wolves",
    "mouse": "mice", "goldfish": "goldfish",
}  # fmt: skip
FEMALE = tuple(["mommy", "grandma", "auntie", "sister", "teacher", "baker"])
MALE = tuple(["daddy", "grandpa", "uncle", "brother", "doctor", "driver", "farmer", "keeper"])
PEOPLE = FEMALE + MALE

VOWELS = "aeiou"
# base: third person, -ing, past, participle
IRREGULAR_VERBS = {
    "eat": "eats eating ate eaten", "drink": "drinks drinking drank drunk", "see": "sees seeing saw seen",
    "go": "goes going went gone", "take": "takes taking took taken", "give": "gives giving gave given",
    "make": "makes making made made", "build": "builds building built built", "read": "reads reading read read",
    "sing": "sings singing sang sung", "write": "writes writing wrote written", "ride": "rides riding rode ridden",
    "drive": "drives driving drove driven", "draw": "draws drawing drew drawn",
    "break": "breaks breaking broke broken", "wear": "wears wearing wore worn", "buy": "buys buying bought bought",
    "feed": "feeds feeding fed fed", "find": "finds finding found found", "fly": "flies flying flew flown",
    "blow": "blows blowing blew blown", "throw": "throws throwing threw thrown", "dig": "digs digging dug dug",
    "sweep": "sweeps sweeping swept swept", "put": "puts putting put put", "hide": "hides hiding hid hidden",
    "swim": "swims swimming swam swum", "sleep": "sleeps sleeping slept slept",
    "catch": "catches catching caught caught", "cut": "cuts cutting cut cut", "tell": "tells telling told told",
    "fall": "falls falling fell fallen", "bring": "brings bringing brought brought", "run": "runs running ran run",
    "have": "has having had had", "do": "does doing did done", "tie": "ties tying tied tied",
    "iron": "irons ironing ironed ironed", "hang": "hangs hanging hung hung", "hurt": "hurts hurting hurt hurt",
    "spread": "spreads spreading spread spread",
}  # fmt: skip


@dataclass(frozen=True)
class Thing:
    """One thing or animal and its facts; `use` is empty for animals, `sound`, `food` and `doing` for things."""

    noun: str
    scene: str
    preposition: str
    place: str
    colour: str
    like: str
    number: str
    use: str = ""
    owner: str = ""
    sound: str = ""
    food: str = ""
    doing: str = ""

    @property
    def animal(self) -> bool:
        return bool(self.sound)

    @property
    def countable(self) -> bool:
        return self.noun not in MASS_NOUNS


def plural(noun: str) -> str:
    """The plural of a noun of the lexicon."""
    return PLURALS.get(noun, noun + "s")


def article(word: str) -> str:
    """`a` or `an` before a word, by its first letter."""
    return "an" if word[0] in VOWELS else "a"


def verb_forms(verb: str) -> tuple[str, str, str, str]:
    """Third person, -ing form, past and participle of a verb: bake -> bakes, baking, baked, baked."""
    if verb in IRREGULAR_VERBS:
        third, progressive, past, participle = IRREGULAR_VERBS[verb].split()
        return third, progressive, past, participle
    if verb.endswith("e"):
        return verb + "s", verb[:-1] + "ing", verb + "d", verb + "d"
    if verb[-1] == "y" and verb[-2] not in VOWELS:
        return verb[:-1] + "ies", verb + "ing", verb[:-1] + "ied", verb[:-1] + "ied"
    third = verb + ("es" if verb.endswith(("s", "sh", "ch", "x")) else "s")
    short = len(verb) <= 4 and verb[-1] not in VOWELS + "wyxkhr" and verb[-2] in VOWELS and verb[-3] not in VOWELS
    stem = verb + verb[-1] if short else verb
    return third, stem + "ing", stem + "ed", stem + "ed"


def _read(noun: str, scene: str, facts: list[str], order: int) -> Thing:
    """One line of the tables; how many there are of it follows from its order, with no pattern by scene."""
    preposition, place = facts[0].split()
    number = NUMBERS[1 + order * 5 % (len(NUMBERS) - 1)]
    if len(facts) == 6:
        _, colour, sound, food, doing, like = facts
        return Thing(noun, scene, preposition, place, colour, like, number, sound=sound, food=food, doing=doing)
    _, colour, use, like, owner = facts
    return Thing(noun, scene, preposition, place, colour, like, number, use=use, owner=owner)


def _read_all() -> tuple[Thing, ...]:
    things = []
    for scene, table in (THINGS | ANIMALS).items():
        for line in table.strip().splitlines():
            noun, *facts = (field.strip() for field in line.split("|"))
            things.append(_read(noun, scene, facts, len(things)))
    return tuple(things)


WORLD = _read_all()
NOUNS = tuple(thing.noun for thing in WORLD)


def things_of(scene: str) -> list[Thing]:
    """The things and animals of a scene."""
    return [thing for thing in WORLD if thing.scene == scene]
