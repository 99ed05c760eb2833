"""What people do in each scene of the toy transcripts, and what is said there.

An activity is `verb object | who | why | when`; a remark is an adult utterance and the child's possible replies.
"""

from dataclasses import dataclass

ACTIVITIES = {
    "kitchen": """
        cook dinner | daddy | we're hungry | after work
        bake muffins | grandma | guests are coming | on Sundays
        wash dishes | mommy | they're filthy | before bed
        mix pancakes | auntie | I love them | every morning""",
    "lunch": """
        eat noodles | brother | his tummy rumbled | at noon
        peel oranges | grandpa | skin tastes bad | after soup
        drink juice | sister | she's thirsty | with lunch
        spread butter | auntie | toast is dry | at teatime""",
    "bath": """
        wash hair | mommy | there's jam inside | every evening
        blow bubbles | sister | it's fun | in bathtime
        fill tubs | daddy | I'm dirty | after playing
        splash walls | brother | he's naughty | on Fridays""",
    "bedtime": """
        read stories | daddy | I'm sleepy | at night
        sing lullabies | mommy | baby cries | when dark
        close curtains | grandma | moon shines | before dreams
        sleep downstairs | uncle | he visits us | on weekends""",
    "garden": """
        dig potatoes | grandpa | we need vegetables | in autumn
        water roses | grandma | they're thirsty | in summer
        pick cherries | uncle | they're ripe | in June
        cut grass | daddy | it grew | on Saturday""",
    "seaside": """
        build sandcastles | sister | there's sand everywhere | on holiday
        swim far | uncle | he loves water | when sunny
        catch crabs | brother | they pinch toes | at low tide
        find shells | auntie | they're treasures | on walks""",
    "music": """
        sing songs | auntie | she's happy | at Christmas
        dance around | sister | music plays | after school
        clap hands | teacher | we did well | at concerts
        march outside | brother | he's a soldier | on Mondays""",
    "drawing": """
        draw rockets | brother | he likes space | at school
        paint faces | teacher | we asked nicely | on Tuesday
        cut shapes | sister | it's a collage | at playgroup
        write names | teacher | so nobody forgets | in class""",
    "shops": """
        buy apples | mommy | none were left | on Thursday
        bake rolls | baker | people buy them | very early
        carry bags | daddy | they're heavy | after shopping
        count coins | grandpa | he's careful | at checkout""",
    "trains": """
        drive buses | driver | that's his job | all day
        wave flags | teacher | train's leaving | at departure
        ride horses | sister | they're gentle | in spring
        visit cities | uncle | friends live there | next week""",
    "dressing": """
        tie laces | mommy | I can't do bows | before kindergarten
        wear jumpers | grandpa | he's freezing | in winter
        knit socks | grandma | feet get chilly | on evenings
        try hats | auntie | she's fancy | at weddings""",
    "doctor": """
        check tummies | doctor | they hurt | tomorrow
        take medicine | grandma | she's ill | at breakfast
        kiss bruises | mommy | I fell over | straight away
        wear plasters | brother | he bleeds | since yesterday""",
    "building": """
        build bridges | brother | cars must cross | after nursery
        break towers | sister | she's cross | too often
        tidy toys | mommy | we made mess | at bedtime
        fix robots | grandpa | wires came off | later""",
    "park": """
        push swings | daddy | I can't reach | after naps
        fly kites | uncle | wind's blowing | in March
        feed ducks | grandma | they quack | on Sundays
        climb ropes | sister | she's brave | at playtime""",
    "party": """
        bake cakes | grandma | it's my birthday | in April
        wrap presents | auntie | surprises are nice | tonight
        pop balloons | brother | bangs are exciting | at parties
        sing loudly | everybody | I'm three | before cake""",
    "weather": """
        shovel snow | grandpa | car got stuck | in January
        wear boots | sister | puddles are deep | when raining
        throw snowballs | brother | fights are funny | in December
        carry umbrellas | auntie | rain's coming | in November""",
    "workshop": """
        hammer nails | grandpa | chair wobbles | this afternoon
        mend bikes | uncle | tyre popped | when quiet
        paint sheds | daddy | old colour peeled | in May
        measure planks | uncle | shelves must fit | before sawing""",
    "washing": """
        iron shirts | mommy | they're wrinkled | on Wednesday
        sweep crumbs | grandma | ants come | after meals
        hang trousers | daddy | sun dries them | when hot
        fold sheets | auntie | drawer's small | on laundry day""",
    "farm": """
        milk cows | farmer | we need butter | at dawn
        feed hens | farmer | eggs taste good | at sunrise
        drive tractors | farmer | fields are big | in August
        chase foxes | farmer | they steal chickens | at midnight""",
    "zoo": """
        feed lions | keeper | they get angry | at three
        clean cages | keeper | poo smells | each day
        wash elephants | keeper | mud sticks | on Tuesdays
        tell jokes | uncle | parrots laugh | always""",
    "pets": """
        walk dogs | sister | legs need running | after dinner
        brush cats | auntie | fur falls out | on Friday
        feed goldfish | brother | flakes ran out | once daily
        clean hutches | daddy | straw stinks | at weekends""",
    "pond": """
        catch tadpoles | brother | they become frogs | in spring
        row canoes | uncle | ducks swim there | on holidays
        throw pebbles | sister | ripples are pretty | at sunset
        watch dragonflies | grandpa | wings glitter | in July""",
}
REMARKS = {
    "kitchen": """
        oh dear the milk spilled . / get a cloth . / wipe it up . / I didn't do that .
        dinner is ready . / I'm coming . / what are we having ? / smells yummy .
        be careful it's burning hot ! / ouch . / blow on that . / I won't touch .""",
    "lunch": """
        you have eaten everything . / all gone . / more please . / I'm full now .
        there's only one cookie left . / I want that . / share with sister . / mine !
        would you like something to drink ? / juice please . / milk . / a big lemonade .""",
    "bath": """
        time to wash your hair . / no shampoo ! / soap gets in my eyes . / don't splash me .
        the water is running out . / bye bye bubbles . / where does it go ? / down a plughole .
        you look like a prune . / fingers all wrinkly . / I'm not fruit . / get me out .""",
    "bedtime": """
        close your eyes now . / I'm not tired . / one more story . / leave a light on .
        did you have a dream ? / about monsters . / big dragon came . / I was flying .
        sleep well my darling . / night night mommy . / kiss teddy too . / see tomorrow .""",
    "garden": """
        the tomatoes have grown so much . / can we pick them ? / they're red now . / I watered those .
        there's a worm in the ground . / yuck . / it wriggles . / let me hold him .
        it's too hot out here . / get my sunhat . / sit under a tree . / ice cream please .""",
    "seaside": """
        the waves are very big today . / hold my hand . / they knocked me over . / I can jump those .
        somebody broke the sandcastle . / brother did . / build another one . / sea washed it away .
        let's put some cream on your nose . / it's cold . / don't want any . / sun burns me .""",
    "music": """
        what shall we sing ? / twinkle star . / old macdonald . / wheels on bus .
        you played that so beautifully . / again again ! / I practised . / now clap for me .
        the baby is asleep . / play quietly . / shush everybody . / no more drums .""",
    "drawing": """
        that's a lovely picture . / monster ! / I drew him . / hang it up please .
        you have paint on your nose . / wipe that off . / I'm a clown . / get a tissue .
        tell me about your drawing . / this is mommy . / it's our house . / a spaceship flying .""",
    "shops": """
        we haven't got any money left . / go home then . / ask daddy for some . / can't buy toys .
        what do we need today ? / milk and eggs . / some bread . / chocolate .
        don't run in the shop . / I'm looking for candy . / stay close to mommy . / sorry .""",
    "trains": """
        we missed the bus . / wait for another one . / we'll be late . / run faster .
        here comes a long train . / choochoo . / stand back . / it's going through tunnels .
        who wants to sit by the window ? / me . / I do . / my turn now .""",
    "dressing": """
        your shoes are on the wrong feet . / swap them . / I did it myself . / they hurt .
        it's freezing outside . / I need my mittens . / zip me up . / woolly hat on .
        can you do it by yourself ? / I can't . / help me . / arms stuck .""",
    "doctor": """
        does your tummy hurt ? / yes very bad . / I feel sick . / no just my head .
        open wide and say something . / ah . / my throat's sore . / no spoon please .
        you were very brave . / I didn't cry . / get a sticker ? / all better .""",
    "building": """
        oops it fell down . / crash . / build again . / my tower broke .
        how high can you make it ? / up to a sky . / bigger than daddy . / taller .
        there is a piece missing . / under your chair . / baby ate that . / I'll look for one .""",
    "park": """
        there's a long queue for the slide . / wait our turn . / I was first . / let's swing instead .
        you are going so high . / push me more . / I'm touching clouds . / wheee .
        we have to go home now . / no five minutes . / not yet . / one last ride .""",
    "party": """
        happy birthday sweetie ! / thank you . / I'm three now . / where's my present ?
        close your eyes and make a wish . / I wished for puppies . / can't tell . / blow out candles .
        grandma sent you a parcel . / open it . / what's inside ? / I think toys .""",
    "weather": """
        look at all that rain . / get wet . / need umbrellas . / puddles to jump in .
        it snowed during the night . / make a snowman . / everything's white . / can we go out ?
        did you hear the thunder ? / scary . / I hid under covers . / boom boom .""",
    "workshop": """
        the wheel has come off again . / uncle can fix it . / get a hammer . / it's broken .
        don't touch that saw . / it's too sharp . / cut my finger . / only grandpa can .
        I need something to hold it together . / use glue . / a nail . / try string .""",
    "washing": """
        your trousers are covered in mud . / wash them . / I fell over . / put on clean ones .
        one sock is missing . / washer ate it . / dog has that . / look under my bed .
        listen to that machine . / it's spinning . / brrm . / going round and round .""",
    "farm": """
        the cows are coming home . / moo moo . / time for milking . / they're so big .
        somebody left the gate open . / sheep ran away . / I'll shut it . / farmer's cross .
        shall we collect the eggs ? / from hens . / don't drop any . / get my basket .""",
    "zoo": """
        that lion looks very hungry . / give him meat . / he's roaring . / don't bite me .
        which one do you like best ? / monkeys . / a giraffe . / I love elephants .
        what a long neck it has . / giraffe . / reaching leaves . / taller than daddy .""",
    "pets": """
        who has chewed my slipper ? / naughty dog . / puppy did . / not me .
        the kitty is stuck up there . / call a fireman . / get ladder . / come down cat .
        the goldfish is not moving . / sleeping . / did he die ? / feed him .""",
    "pond": """
        don't lean over the water . / I might fall in . / hold on tight . / looking at fish .
        the tadpoles have got legs . / becoming frogs . / they hop soon . / wow .
        shall we throw them some bread ? / ducks are hungry . / quack quack . / yes I'll feed .""",
}


@dataclass(frozen=True)
class Activity:
    """`verb` and `rest` make the phrase (cook dinner); `who` does it, because of `reason`, at the time `when`."""

    verb: str
    rest: str
    who: str
    reason: str
    when: str


def _activity(line: str) -> Activity:
    phrase, who, reason, when = (field.strip() for field in line.split("|"))
    verb, rest = phrase.split(" ", 1)
    return Activity(verb, rest, who, reason, when)


def _remark(line: str) -> tuple[str, tuple[str, ...]]:
    remark, *replies = (field.strip() for field in line.split("/"))
    return remark, tuple(replies)


def _table(tables: dict, read) -> dict:
    return {scene: tuple(read(line) for line in table.strip().splitlines()) for scene, table in tables.items()}


SCENES = tuple(ACTIVITIES)
SCENE_ACTIVITIES: dict[str, tuple[Activity, ...]] = _table(ACTIVITIES, _activity)
SCENE_REMARKS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = _table(REMARKS, _remark)
