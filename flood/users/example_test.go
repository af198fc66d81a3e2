package users_test

import (
	"fmt"
	"strings"

	"example.org/comet/flood/users"
)

func Example() {
	table, err := users.Read(strings.NewReader("id,token\nalice,s3cret\nbob smith,t0psecret\n"), "users.csv")
	if err != nil {
		fmt.Println(err)
		return
	}
	path := users.Parse("/stream/{id}", users.URL, table.Columns())
	login := users.Parse(`{"token":"{token}"}`, users.JSON, table.Columns())
	for row := range table.Len() {
		value := func(column int) []byte { return []byte(table.Cell(row, column)) }
		fmt.Printf("%s %s\n", path.Append(nil, value), login.Append(nil, value))
	}
	// Output:
	// /stream/alice {"token":"s3cret"}
	// /stream/bob%20smith {"token":"t0psecret"}
}
