package upstream

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds the wait that an answer can ask for.
const maxRetryAfter = time.Hour

// retryAfter returns the time that an answer asks its caller to wait: the Retry-After
// header, as seconds or as a date, or else the wait that the message names. It is 0
// when neither has one, and an hour at most.
func retryAfter(header http.Header, message string, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if isDigits(value) {
		seconds, err := strconv.ParseFloat(value, 64)
		if err != nil { // so many digits that it is infinite
			return maxRetryAfter
		}
		return boundedWait(seconds)
	}
	if date, err := http.ParseTime(value); err == nil {
		return boundedWait(date.Sub(now).Seconds())
	}
	return waitInMessage(message)
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// boundedWait rounds up, so that a wait is never shorter than asked for.
func boundedWait(seconds float64) time.Duration {
	switch {
	case !(seconds > 0):
		return 0
	case seconds >= maxRetryAfter.Seconds():
		return maxRetryAfter
	}
	return time.Duration(math.Ceil(seconds * float64(time.Second)))
}

// waitInMessage finds the wait in "…try again after 6.937 seconds", "…try again
// in 120ms", "retry in 1m3s".
func waitInMessage(message string) time.Duration {
	lower := strings.ToLower(message)
	start := strings.LastIndex(lower, "try again")
	if start < 0 {
		start = strings.LastIndex(lower, "retry")
	}
	if start < 0 {
		return 0
	}
	// The wait is close by, if it is there; the search takes quadratic time.
	words := cut(lower[start:], maxWords)
	for {
		in, after := strings.Index(words, "in "), strings.Index(words, "after ")
		switch {
		case in < 0 && after < 0:
			return 0
		case after < 0 || in >= 0 && in < after:
			words = words[in+len("in "):]
		default:
			words = words[after+len("after "):]
		}
		if seconds := leadingWait(words); seconds > 0 {
			return boundedWait(seconds)
		}
	}
}

// leadingWait adds up the amounts that s begins with and returns seconds.
func leadingWait(s string) float64 {
	total := 0.0
	for {
		s = strings.TrimLeft(s, " ")
		digits := 0
		for digits < len(s) && (s[digits] >= '0' && s[digits] <= '9' || s[digits] == '.') {
			digits++
		}
		amount, err := strconv.ParseFloat(s[:digits], 64)
		if err != nil {
			return total
		}
		s = strings.TrimLeft(s[digits:], " ")
		letters := 0
		for letters < len(s) && s[letters] >= 'a' && s[letters] <= 'z' {
			letters++
		}
		scale := unitSeconds(s[:letters])
		if scale == 0 {
			return total
		}
		total += amount * scale
		s = s[letters:]
	}
}

func unitSeconds(unit string) float64 {
	switch unit {
	case "ms", "millisecond", "milliseconds":
		return 0.001
	case "s", "sec", "secs", "second", "seconds":
		return 1
	case "m", "min", "mins", "minute", "minutes":
		return 60
	case "h", "hour", "hours":
		return 3600
	case "d", "day", "days":
		return 86400
	}
	return 0
}
