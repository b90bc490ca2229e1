package pages_test

import (
	"encoding/json"
	"strconv"
	"time"
)

// quote is a text as JSON has it.
func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		return `""`
	}
	return string(quoted)
}

// today is the first second of today, in UTC.
func today() string {
	return strconv.FormatInt(time.Now().UTC().Truncate(24*time.Hour).Unix(), 10)
}
