"""Who gets how much: one list of rows, one filling (design/control.md section 2).

A row says `sum(weights[i] * current_ma[i]) <= limit`. Phases, feeders, groups, total power,
dimming and surplus differ only in their numbers; this file knows none of them (rows.py does).

Class by class (one priority is one class), what the classes above left over is shared:

* Admission, in the order of service: who finds his minimum free in every row gets it.
* Filling: all admitted rise together, each on the grid of his own step. Whoever can't get his
  next step stays, the others go on.

A lower class sees only what is left, hence no higher one is ever worse off for it.

In rows without negative weights sums only rise: what once failed never fits later. Where there are
negative ones (unbalance), a rise may give room to others, so whoever such a row stopped or refused
is asked again as soon as he fits, and the one whose rise would help rises first.
"""

from micropython import const

_PUSH_MA = const(100)  # who rises for another does so by no less than this
_ASK_MA = const(500)  # who waits for his minimum is asked no more often than after this


class Row:
    """One constraint: integer weights in the order of the EVSEs; 0: not in this row.

    Who has a negative weight gives room to the others when he rises (docs/decisions/sharing.md).

    The limit is an integer in the unit of weight * mA. It may be 0 or negative (over-drawn): then
    nobody with a positive weight fits. A constraint that does not exist is no row, not a huge
    limit.
    """

    def __init__(self, name, limit, weights):
        self.name = name
        self.limit = limit
        self.weights = weights


class Share:
    """What one EVSE gets, mA per phase, and what bound it.

    reason: name of the row without room for his next step (or his minimum), "max" (has all that he
    can use; also when that is below his minimum), "paused" or "not_wanted".
    """

    def __init__(self, current_ma, reason):
        self.current_ma = current_ma
        self.reason = reason


def share(evses, rows):
    """List of Share in the order of the EVSEs; each 0 or min_ma..max_ma and a multiple of step_ma.

    Read of each EVSE: id (differs within a site); priority (higher first); min_ma, max_ma per
    phase, what box, cable and car can use now (max_ma 0: wants nothing); step_ma; charging (holds
    its place before all of its class that wait); waiting_s (longest first); energy_wh_per_h
    (energy per time plugged in, least first); paused (must stay at 0 now).

    Raises ValueError for a row whose weights don't fit the EVSEs.
    """
    count = len(evses)
    for row in rows:
        if len(row.weights) != count:
            raise ValueError(
                "row %s has %d weights for %d EVSEs" % (row.name, len(row.weights), count)
            )
    filling = _Filling(evses, rows)
    waiting = []
    for i in range(count):
        evse = evses[i]
        if evse.max_ma <= 0:
            filling.reasons[i] = "not_wanted"
        elif evse.paused:
            filling.reasons[i] = "paused"
        elif filling.asks[i] > filling._tops[i]:
            filling.reasons[i] = "max"
        else:
            waiting.append(
                (
                    -evse.priority,
                    not evse.charging,
                    -evse.waiting_s,
                    evse.energy_wh_per_h,
                    evse.id,
                    i,
                )
            )
    waiting.sort()
    start = 0
    members = []
    while start < len(waiting):
        members.append(waiting[start][-1])
        start += 1
        if start == len(waiting) or waiting[start][0] != waiting[start - 1][0]:
            # Whoever gave room to one before him lets all begin anew: the first may need it.
            if filling.serve(members):
                start = 0
            members = []
    return [Share(filling.ma[i], filling.reasons[i]) for i in range(count)]


class _Filling:
    # room[r] is what row r has left after ma; asks: the next step or, before that, the minimum.
    # An EVSE with a reason is settled; not for good if the reason is one of the mixed rows, those
    # with negative weights.

    def __init__(self, evses, rows):
        self.evses = evses
        self.names = [row.name for row in rows]
        self.mixed = [row.name for row in rows if row.weights and min(row.weights) < 0]
        self.weights = [row.weights for row in rows]
        self.room = [row.limit for row in rows]
        self.steps = [evse.step_ma for evse in evses]
        self._tops = [evse.max_ma // evse.step_ma * evse.step_ma for evse in evses]
        self.asks = [max(1, -(-evse.min_ma // evse.step_ma)) * evse.step_ma for evse in evses]
        self.ma = [0] * len(evses)
        self.reasons = [""] * len(evses)

    def serve(self, members):
        # One class, in the order of service. True: somebody, of whatever class, now has room that
        # he had not; what is left to do is to be done after him.
        ma = self.ma
        steps = self.steps
        reasons = self.reasons
        mixed = self.mixed
        for i in members:
            if not ma[i] and not reasons[i] and self.rise(i) and mixed and self.wake():
                return True
        # Filled in the order of ids: that of service changes with the Wh, and the leftover steps
        # would hop from car to car.
        members = [i for _, i in sorted([(self.evses[i].id, i) for i in members])]
        # Same result as raising, one step at a time, whoever then has least, but in few strides.
        while True:
            active = [i for i in members if not reasons[i]]
            if not active:
                return False
            following = min([ma[i] + steps[i] for i in active])
            most = self.watch(active, following) if mixed else following
            if most:
                rising = [i for i in active if ma[i] < following]
                level = self.level(active, rising)
                if level < following:
                    # Fine steps go on between the coarse ones.
                    rising = [i for i in rising if ma[i] + steps[i] == following]
                    level = self.level(active, rising)
                if mixed:
                    level = min(level, most)
                for i in rising:
                    if level >= following:
                        target = min(level, self._tops[i])
                        self.rise(i, target - target % steps[i] - ma[i])
                    else:
                        self.rise(i)
            if mixed and self.wake():
                return True

    def rise(self, i, by_ma=None, only_ask=False):
        # By so much, known to have room; None: by what he asks for, if it has. If it has not, the
        # row is his reason and the answer False.
        room = self.room
        if by_ma is None:
            by_ma = self.asks[i]
            at = 0
            for weights in self.weights:
                weight = weights[i]
                if weight and weight * by_ma > room[at] and weight > 0:
                    self.reasons[i] = self.names[at]
                    return False
                at += 1
            self.reasons[i] = ""
            if only_ask:
                return True
        at = 0
        for weights in self.weights:
            if weights[i]:
                room[at] -= weights[i] * by_ma
            at += 1
        self.ma[i] += by_ma
        self.asks[i] = self.steps[i]
        if self.ma[i] >= self._tops[i]:
            self.reasons[i] = "max"
        return True

    def wake(self):
        # Whoever a mixed row stopped or refused, and who fits now, is no longer settled.
        woken = False
        for i in range(len(self.ma)):
            if self.reasons[i] in self.mixed and self.rise(i, None, True):
                woken = True
        return woken

    def level(self, active, rising):
        # Highest level (mA) to which the rising may go together before any of the others moves.
        # Rows count them without their steps, so this is never too high.
        ma = self.ma
        steps = self.steps
        level = max([self._tops[i] for i in rising])
        if len(rising) < len(active):
            for i in active:
                if i not in rising:
                    level = min(level, ma[i] + steps[i] - 1)
        at = 0
        for weights in self.weights:
            total = 0
            room = self.room[at]
            at += 1
            for i in rising:
                weight = weights[i]
                if weight > 0:
                    total += weight
                    room += weight * ma[i]
            if total and room < level * total:
                most = room // total
                # Those who give room rise as well, each perhaps a step less than the level.
                for i in rising:
                    weight = weights[i]
                    if weight < 0:
                        total += weight
                        room += weight * (ma[i] + steps[i] - 1)
                        level = min(level, self._tops[i])
                if total > 0:
                    most = max(most, room // total)
                elif room >= total * min([ma[i] for i in rising]):
                    most = level
                level = min(level, most)
        return level

    def watch(self, active, following):
        # The level where somebody is to be asked again who waits for room that the active give by
        # rising. If he has less than any of them one rises for him at once, and the answer is 0.
        ma = self.ma
        most = 1 << 29
        rank = self.evses[active[0]].priority
        for _, j in sorted([(self.evses[i].id, i) for i in range(len(ma))]):
            above = self.evses[j].priority - rank
            if self.reasons[j] not in self.mixed or above < 0:
                continue
            givers = []
            needed = following
            spare = self._tops[j] - ma[j]
            at = 0
            for weights in self.weights:
                weight = weights[j]
                if weight > 0:
                    room = self.room[at]
                    missing = weight * self.asks[j] - room
                    those = [i for i in active if weights[i] < 0]
                    if missing <= 0:
                        if not those:
                            spare = min(spare, room // weight)
                    elif those:
                        givers += those
                        missing //= sum([weights[i] for i in those])
                        needed = max(needed, following + max(_ASK_MA, -1 - missing))
                    else:
                        break
                at += 1
            else:
                level = ma[j] + self.steps[j]
                if not ma[j]:
                    most = min(most, needed)
                elif level > following and not above:
                    most = min(most, level - 1)
                else:
                    # By a quarter of what both can use: he is not the only one who needs the room.
                    i = min([(ma[i], self.evses[i].id, i) for i in givers])[2]
                    by_ma = min(self.level((), [i]) - ma[i], spare)
                    by_ma = min(by_ma, max(by_ma // 4, _PUSH_MA))
                    by_ma -= by_ma % self.steps[i]
                    self.rise(i, by_ma if by_ma > 0 else None)
                    return 0
        return most
