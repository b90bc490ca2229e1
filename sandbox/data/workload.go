package data

// parts are the quantities of one kind of usage.
type parts [maxParts]int64

// workload is a source of usage: one key that calls one model for one purpose. Its
// usage in an hour is a pure function of the workload and the hour, so that months
// of usage need no memory.
type workload struct {
	kind string
	dims [dimensions]string

	// From and until are hours since the epoch; an until of 0 means no end.
	from, until int64
	// rate is the number of requests in a busy weekday hour at the start, in
	// thousandths.
	rate int64
	// steady workloads run around the clock, because they belong to machines.
	steady bool
	// perRequest is the quantity of each part in one request, in thousandths.
	perRequest parts
	lines      [maxParts]int // index into the ledger's price list, or noLine
	hash       uint64
}

const noLine = -1

// Shares of the busiest hour, in thousandths, by hour of the day in UTC.
var (
	officeHours = [24]int64{
		60, 40, 30, 30, 40, 80, 180, 400, 700, 900, 980, 960,
		880, 920, 1000, 990, 940, 820, 600, 420, 300, 220, 150, 90,
	}
	aroundTheClock = [24]int64{
		780, 760, 750, 750, 760, 790, 830, 880, 930, 970, 990, 1000,
		990, 1000, 1000, 990, 970, 940, 910, 880, 860, 840, 820, 800,
	}
)

// usageEpoch is the hour from which growth counts: 2024-01-01 UTC.
const usageEpoch = 1704067200 / 3600

// growth returns the load relative to usageEpoch, in thousandths: one percent more
// every four days, up to tenfold.
func growth(hour int64) int64 {
	days := max(0, (hour-usageEpoch)/24)
	return min(1000+days*10/4, 10_000)
}

// Mix is the finalizer of splitmix64: every input bit affects every output bit.
func Mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// hour returns the usage in one hour, counted since the epoch.
func (w *workload) hour(hour int64) parts {
	var out parts
	if hour < w.from || w.until != 0 && hour >= w.until {
		return out
	}
	// Day 0 of the epoch was a Thursday.
	day, curve, weekend := (hour/24+4)%7, &officeHours, int64(180)
	if w.steady {
		curve, weekend = &aroundTheClock, 820
	}
	load := w.rate * curve[hour%24] / 1000 * growth(hour) / 1000
	if day == 0 || day == 6 {
		load = load * weekend / 1000
	}
	noise := Mix(w.hash ^ uint64(hour)*0x9e3779b97f4a7c15)
	load = load * int64(600+noise%801) / 1000
	n := load / 1000
	// A fraction of a request becomes one or none, so that small workloads have
	// requests too.
	if int64(noise>>20%1000) < load%1000 {
		n++
	}
	if n == 0 {
		return out
	}
	out[requests] = n
	for i := 1; i < maxParts; i++ {
		if w.perRequest[i] != 0 {
			noise = Mix(noise + uint64(i))
			out[i] = n * w.perRequest[i] / 1000 * int64(850+noise%301) / 1000
		}
	}
	return out
}

// between returns the usage from one minute up to another, counted since the epoch.
// A part of an hour is a share of it, rounded so that the minutes of an hour add up
// to the hour.
func (w *workload) between(from, to int64) parts {
	var sum parts
	from = max(from, w.from*60)
	if w.until != 0 {
		to = min(to, w.until*60)
	}
	for from < to {
		hour := from / 60
		until := min(to, (hour+1)*60)
		of := w.hour(hour)
		if of[requests] != 0 {
			low, high := from-hour*60, until-hour*60
			for i, n := range of {
				if n != 0 {
					sum[i] += n*high/60 - n*low/60
				}
			}
		}
		from = until
	}
	return sum
}
