package data

// SpendAlert sends mail when a month's spend passes a threshold, as the API
// shows it.
type SpendAlert struct {
	ID        string       `json:"id"`
	Object    string       `json:"object"`
	Threshold int64        `json:"threshold_amount"` // in cents
	Currency  string       `json:"currency"`
	Interval  string       `json:"interval"`
	Channel   AlertChannel `json:"notification_channel"`
}

// AlertChannel says whom a spend alert notifies.
type AlertChannel struct {
	Type          string   `json:"type"`
	Recipients    []string `json:"recipients"`
	SubjectPrefix *string  `json:"subject_prefix"`
}

// SpendLimit stops spending at a threshold.
type SpendLimit struct {
	Threshold int64 // in cents
	Currency  string
	Interval  string
}
