require ["vacation", "fcc"];
vacation :days 7
         :from "hemingway@example.com"
         :fcc "INBOX.Sent"
    "Gone fishing.";
