require ["foreverypart", "replace"];
foreverypart {
    foreverypart {
        replace "1"; replace "2"; replace "3"; replace "4"; replace "5"; replace "6"; replace "7"; replace "8";
        replace "9"; replace "10"; replace "11"; replace "12"; replace "13"; replace "14"; replace "15"; replace "16";
        replace "17"; replace "18"; replace "19"; replace "20"; replace "21"; replace "22"; replace "23"; replace "24";
    }
}
