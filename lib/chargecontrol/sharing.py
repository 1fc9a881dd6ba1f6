"""Who gets how much: one list of rows, one filling (design/control.md section 2).

A row says `sum(weights[i] * current_ma[i]) <= limit`. Phases, feeders, groups, total power,
dimming and surplus differ only in their numbers; this file knows none of them (rows.py does).

Class by class (one priority is one class), what the classes above left over is shared:

* Admission, in the order of service: who finds his minimum free in every row gets it.
* Filling: all admitted rise together, each on the grid of his own step. Whoever can't get his
  next step stays, the others go on. No sum ever falls: what once failed never fits later.

A lower class sees only what is left, hence no higher one is ever worse off for it.
"""


class Row:
    """One constraint: weights (integers >= 0) in the order of the EVSEs; 0: not in this row.

    The limit is an integer in the unit of weight * mA. It may be 0 or negative (over-drawn): then
    nobody in the row fits. A constraint that does not exist is no row, not a huge limit.
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

    Raises ValueError for a row whose weights don't fit the EVSEs or are negative. A negative
    weight (the unbalance of two phases) gives room back when its EVSE rises: whoever stopped at
    that row must then rise again, and a minimum once refused may fit. This filling does neither.
    """
    count = len(evses)
    for row in rows:
        if len(row.weights) != count:
            raise ValueError(
                "row %s has %d weights for %d EVSEs" % (row.name, len(row.weights), count)
            )
        if count and min(row.weights) < 0:
            raise ValueError("row %s has a negative weight; allowed is 0 or more" % row.name)
    filling = _Filling(evses, rows)
    waiting = []
    for i in range(count):
        evse = evses[i]
        if evse.max_ma <= 0:
            filling.reasons[i] = "not_wanted"
        elif evse.paused:
            filling.reasons[i] = "paused"
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
    admitted = []
    for k in range(len(waiting)):
        filling.admit(waiting[k][-1], admitted)
        if k + 1 == len(waiting) or waiting[k + 1][0] != waiting[k][0]:
            filling.fill(admitted)
            admitted = []
    return [Share(filling.ma[i], filling.reasons[i]) for i in range(count)]


class _Filling:
    # room[r] is what row r has left after ma; an EVSE with a reason is settled.

    def __init__(self, evses, rows):
        self.evses = evses
        self.names = [row.name for row in rows]
        self.weights = [row.weights for row in rows]
        self.room = [row.limit for row in rows]
        self.steps = [evse.step_ma for evse in evses]
        self.tops = [evse.max_ma // evse.step_ma * evse.step_ma for evse in evses]
        self.ma = [0] * len(evses)
        self.reasons = [""] * len(evses)

    def admit(self, i, admitted):
        step = self.steps[i]
        min_ma = max(1, -(-self.evses[i].min_ma // step)) * step
        if min_ma > self.tops[i]:
            self.reasons[i] = "max"
        elif self.rise(i, min_ma):
            # Filled in the order of ids: that of service changes with the Wh, and the leftover
            # steps would hop from car to car.
            at = len(admitted)
            while at and self.evses[admitted[at - 1]].id > self.evses[i].id:
                at -= 1
            admitted.insert(at, i)

    def rise(self, i, by_ma):
        # Gives him by_ma more, or the first row without room as reason.
        room = self.room
        at = 0
        for weights in self.weights:
            weight = weights[i]
            if weight and weight * by_ma > room[at]:
                self.reasons[i] = self.names[at]
                return False
            at += 1
        at = 0
        for weights in self.weights:
            if weights[i]:
                room[at] -= weights[i] * by_ma
            at += 1
        self.ma[i] += by_ma
        if self.ma[i] >= self.tops[i]:
            self.reasons[i] = "max"
        return True

    def fill(self, active):
        # Same result as raising, one step at a time, whoever then has least, but in few strides.
        ma = self.ma
        steps = self.steps
        reasons = self.reasons
        while True:
            active = [i for i in active if not reasons[i]]
            if not active:
                return
            following = min([ma[i] + steps[i] for i in active])
            rising = [i for i in active if ma[i] < following]
            level = self.level(active, rising)
            if level < following:
                # Fine steps go on between the coarse ones.
                rising = [i for i in rising if ma[i] + steps[i] == following]
                level = self.level(active, rising)
            for i in rising:
                if level < following:
                    self.rise(i, steps[i])
                else:
                    target = min(level, self.tops[i])
                    self.rise(i, target - target % steps[i] - ma[i])

    def level(self, active, rising):
        # Highest level (mA) to which the rising may go together before any of the others moves.
        # Rows count them without their steps, so this is never too high.
        ma = self.ma
        level = max([self.tops[i] for i in rising])
        for i in active:
            if i not in rising:
                level = min(level, ma[i] + self.steps[i] - 1)
        at = 0
        for weights in self.weights:
            total = 0
            room = self.room[at]
            at += 1
            for i in rising:
                weight = weights[i]
                if weight:
                    total += weight
                    room += weight * ma[i]
            if total and room < level * total:
                level = room // total
        return level
